"""Compares what workflows need with what engines hold, and says where each missing file goes.

Asks the server for its engines, or one ComfyUI itself. Must not fetch a model.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.answers import Answer
from cli.client import ApiClient
from cli.model_places import ModelPlaces
from cli.trouble import Trouble
from contracts.engines import EngineSnapshot
from engines.comfyui import Catalogue, ComfyClient, EngineAddress, EngineError
from planning.models import NeededModel, NeededPackage, absent_classes, lacking, needed, packages
from planning.needs import choice_keys
from planning.registry import load_workflows

ASKED = "engine"
"""What an engine is called that was asked directly."""


class FileAnswer(Answer):
    """A model file and the engines without it."""

    model: NeededModel
    lacking: tuple[str, ...]


class PackageAnswer(Answer):
    """A package and the classes of it that engines do not have."""

    package: NeededPackage
    absent: dict[str, tuple[str, ...]]


class Inventory(Answer):
    """What engines must hold, and what each lacks."""

    engines: tuple[str, ...]
    models: tuple[FileAnswer, ...]
    packages: tuple[PackageAnswer, ...]

    @property
    def complete(self) -> bool:
        """Whether every engine has everything that is always needed."""
        lacked = any(m.lacking and m.model.needed_by for m in self.models)
        return not lacked and not any(p.absent for p in self.packages)


def of_server(client: ApiClient) -> Inventory:
    """What the engines of a running system hold. Raises Trouble when none was examined yet."""
    found = client.ask(Inventory, "GET", "/api/admin/models")
    if not found.engines:
        raise Trouble(
            "The system has examined no ComfyUI yet.",
            "Start an executor for it, or name one with --engine.",
        )
    return found


def of_engine(url: str) -> Inventory:
    """What one ComfyUI holds, asked directly. Raises Trouble when it does not answer."""
    try:
        seen = asyncio.run(_snapshot(EngineAddress(url)))
    except (EngineError, ValueError) as away:
        raise Trouble(f"{url} does not answer as a ComfyUI: {away}") from away
    active = load_workflows().active
    return Inventory(
        engines=(ASKED,),
        models=tuple(FileAnswer(model=m, lacking=lacking(m, [seen])) for m in needed(active)),
        packages=tuple(
            PackageAnswer(
                package=p, absent={ASKED: gone} if (gone := absent_classes(p, seen)) else {}
            )
            for p in packages(active)
        ),
    )


async def _snapshot(address: EngineAddress) -> EngineSnapshot:
    async with ComfyClient(address) as client:
        catalogue = Catalogue.read(await client.object_info())
    choices: dict[str, tuple[str, ...]] = {}
    for key in sorted(choice_keys(load_workflows())):
        node_class, _, name = key.partition(".")
        known = catalogue.get(node_class)
        spec = known.inputs.get(name) if known else None
        if spec is not None and spec.options is not None:
            choices[key] = tuple(str(option) for option in spec.options)
    return EngineSnapshot(
        engine_id=ASKED,
        kind="comfyui",
        simulated=False,
        version="unknown",
        health="ready",
        seen_at=datetime.now(UTC),
        node_classes=tuple(sorted(catalogue)),
        choices=choices,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    mark: str
    what: str
    where: str


def show(found: Inventory, places: ModelPlaces, console: Console) -> None:
    """Print every file and package: there, or missing where and to be put where."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "what", "where it goes"):
        table.add_column(heading, overflow="fold")
    for row in [*_file_rows(found, places), *_package_rows(found, places)]:
        table.add_row(row.mark, escape(row.what), escape(row.where))
    console.print(f"Engines examined: {', '.join(found.engines)}", highlight=False)
    console.print(table)


def _file_rows(found: Inventory, places: ModelPlaces) -> list[_Row]:
    rows = []
    for one in found.models:
        model = one.model
        if not one.lacking:
            rows.append(_Row("[green]ok[/]", model.file, ""))
            continue
        where = places.destination(model.folder, model.file)
        if model.fetched_by:
            where = f"{model.fetched_by} fetches it on first use"
        else:
            where += f" (staged: {places.staged(model.file)}; from {places.sources(model)[0]})"
        optional = "" if model.needed_by else ", needed only when asked for"
        mark = "[bold red]MISSING[/]" if model.needed_by else "[yellow]absent[/]"
        rows.append(_Row(mark, f"{model.file} on {', '.join(one.lacking)}{optional}", where))
    return rows


def _package_rows(found: Inventory, places: ModelPlaces) -> list[_Row]:
    rows = []
    for one in found.packages:
        name = one.package.package
        if not one.absent:
            rows.append(_Row("[green]ok[/]", f"nodes of {name}", ""))
        for engine, gone in sorted(one.absent.items()):
            what = f"nodes of {name} on {engine}: {', '.join(gone)}"
            where = f"{places.comfyui_root.rstrip('/')}/custom_nodes/{name}"
            rows.append(_Row("[bold red]MISSING[/]", what, where))
    return rows
