"""Workflow versions on the command line: list, show, verify, compare, activate, roll back.

What is released is read from this build; what is active and what engines lack, from the server.
Must not change a file.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, RootModel
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from cli.answers import Answer
from cli.client import ApiClient
from cli.trouble import Trouble
from planning.diffing import diff
from planning.registry import WORKFLOWS_DIR, WorkflowCorrupt, WorkflowRegistry, load_workflows
from planning.workflow import WorkflowVersion


class Fit(Answer):
    """What one engine lacks for a profile."""

    engine_id: str
    missing: tuple[str, ...]


class Profile(Answer):
    """A profile of a version and who can run it."""

    profile: str
    lane: str
    runs: bool
    engines: tuple[Fit, ...]


class Version(Answer):
    """A released workflow version as the server knows it."""

    workflow_name: str
    workflow_version: str
    title: str
    active: bool
    activated_by: str | None = None
    activated_at: datetime | None = None
    mode: str
    submode: str | None = None
    model_family: str
    compatible_backend_version: str
    sha256: str
    profiles: tuple[Profile, ...]


class Versions(RootModel[tuple[Version, ...]]):
    """Every version."""

    model_config = ConfigDict(frozen=True)


class Activation(Answer):
    """A decision about which version makes a mode."""

    mode: str
    submode: str | None = None
    action: str
    workflow_name: str
    workflow_version: str
    previous_name: str
    previous_version: str
    by: str
    at: datetime
    forced: bool
    missing: tuple[str, ...]
    note: str | None = None


class Activations(RootModel[tuple[Activation, ...]]):
    """Decisions, the newest first."""

    model_config = ConfigDict(frozen=True)


def list_versions(client: ApiClient, console: Console) -> None:
    """Print every version: active or not, by whose choice, and which profiles run here."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("workflow", "version", "makes", "active", "runs here"):
        table.add_column(heading)
    for v in _versions(client):
        makes = v.mode + (f", {v.submode}" if v.submode else "")
        chosen = f" (by {v.activated_by} {v.activated_at:%Y-%m-%d %H:%M})" if v.activated_at else ""
        active = f"[green]active[/]{escape(chosen)}" if v.active else ""
        runs = ", ".join(p.profile for p in v.profiles if p.runs) or "[red]nothing[/]"
        table.add_row(v.workflow_name, v.workflow_version, makes, active, runs)
    console.print(table)


def show_workflow(client: ApiClient, name: str, console: Console) -> None:
    """Print a workflow's versions with what each engine lacks, and its history."""
    found = [v for v in _versions(client) if v.workflow_name == name]
    if not found:
        raise Trouble(f"There is no workflow {name}.", "See `animatrix workflows list`.")
    for v in found:
        mark = " [green]active[/]" if v.active else ""
        console.print(f"[bold]{v.workflow_name} {v.workflow_version}[/]{mark} {v.title}")
        console.print(f"  {v.model_family}, ComfyUI {v.compatible_backend_version}, {v.sha256}")
        for profile in v.profiles:
            _show_profile(profile, console)
    history = client.ask(Activations, "GET", "/api/admin/workflows/activations").root
    for one in (a for a in history if name in (a.workflow_name, a.previous_name)):
        console.print(escape(_told(one)), highlight=False)


def _show_profile(profile: Profile, console: Console) -> None:
    mark = "[green]runs[/]" if profile.runs else "[red]does not run[/]"
    console.print(f"  {profile.profile} ({profile.lane}): {mark}", highlight=False)
    for fit in profile.engines:
        for missing in fit.missing:
            console.print(f"    {fit.engine_id} lacks {escape(missing)}", highlight=False)


def verify(folder: Path | None, console: Console) -> None:
    """Prove every released version against the lock. Raises Trouble when one is not as released."""
    root = folder or WORKFLOWS_DIR
    try:
        registry = load_workflows(root)
    except WorkflowCorrupt as corrupt:
        raise Trouble(
            f"{corrupt}.", "Restore the released files; a change is a new version."
        ) from (corrupt)
    for version in registry.versions:
        ref = version.ref
        console.print(f"ok {ref.family}/{ref.name}/{ref.version} {ref.sha256}", highlight=False)


def show_diff(name: str, old: str, new: str, console: Console) -> None:
    """Print how two versions of a workflow in this build differ."""
    registry = load_workflows()
    lines = diff(_released(registry, name, old), _released(registry, name, new))
    if console.is_terminal:
        console.print(Syntax("\n".join(lines), "diff", background_color="default"))
    else:
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def activate(client: ApiClient, body: dict[str, Any], console: Console) -> None:
    """Let new jobs use a version."""
    _decide(client, "activate", body, console)


def rollback(client: ApiClient, body: dict[str, Any], console: Console) -> None:
    """Return to the version before."""
    _decide(client, "rollback", body, console)


def _decide(client: ApiClient, verb: str, body: dict[str, Any], console: Console) -> None:
    route = f"/api/admin/workflows/{verb}"
    made = client.ask(Activation, "POST", route, again=False, json=body)
    console.print(escape(_told(made)), highlight=False)
    for missing in made.missing:
        console.print(f"[yellow]The live check found: {escape(missing)}[/]", highlight=False)


def _versions(client: ApiClient) -> tuple[Version, ...]:
    return client.ask(Versions, "GET", "/api/admin/workflows").root


def _released(registry: WorkflowRegistry, name: str, number: str) -> WorkflowVersion:
    version = registry.released(name, number)
    if version is None:
        raise Trouble(f"There is no {name} {number}.", "See `animatrix workflows list`.")
    return version


def _told(one: Activation) -> str:
    verb = "activated" if one.action == "activate" else "rolled back to"
    said = (
        f"{one.at.astimezone():%Y-%m-%d %H:%M:%S} {one.by} {verb} {one.workflow_name} "
        f"{one.workflow_version} (before: {one.previous_name} {one.previous_version})"
    )
    said += ", forced" if one.forced else ""
    return said + (f": {one.note}" if one.note else "")
