"""Every model file and custom node package that the workflows need, and which engines lack them.

Gathered from the manifests, so that nothing about them is written twice. Must not fetch anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.base import Contract
from contracts.engines import EngineSnapshot
from contracts.plan import QualityProfile
from planning.needs import needed_models, trial_graphs
from planning.profiles import switches_of
from planning.workflow import ModelFile, WorkflowVersion

PACKAGE_FOLDER = "custom_nodes/"
"""A folder below this is filled by the package itself, on first use."""


class NeededModel(Contract):
    """A model file: its folder below models/, who needs it, and how its presence is seen.

    `needed_by` lists "<workflow> <profile>"; `optional_for` those of a switch that a request may
    ask for. `fetched_by` is the package that fetches the file itself, on first use. `families` are
    the model families of the workflows.
    """

    folder: str
    file: str
    loader: str
    fetched_by: str | None
    families: tuple[str, ...]
    needed_by: tuple[str, ...]
    optional_for: tuple[str, ...]


class NeededPackage(Contract):
    """A package of custom nodes, the classes used of it, and by which workflows."""

    package: str
    classes: tuple[str, ...]
    needed_by: tuple[str, ...]


def needed(versions: Iterable[WorkflowVersion]) -> tuple[NeededModel, ...]:
    """Every model file of the versions, by folder and name."""
    needed_by: dict[ModelFile, set[str]] = {}
    optional: dict[ModelFile, set[str]] = {}
    families: dict[ModelFile, set[str]] = {}
    for version in versions:
        for model in version.manifest.required_models:
            families.setdefault(model, set()).add(version.manifest.model_family)
        for name, profile in version.manifest.profiles.items():
            usual = switches_of(version, profile)
            must = _loaded(version, name, usual)
            user = f"{version.ref.name} {name}"
            for model in must:
                needed_by.setdefault(model, set()).add(user)
            for switch in version.bindings.switches:
                if switch in version.manifest.settings:
                    for model in _loaded(version, name, {**usual, switch: True}) - must:
                        optional.setdefault(model, set()).add(f"{user} ({switch})")
    files = sorted(needed_by.keys() | optional.keys(), key=lambda m: (m.folder, m.file, m.loader))
    return tuple(
        NeededModel(
            folder=m.folder,
            file=m.file,
            loader=m.loader,
            fetched_by=_fetched_by(m.folder),
            families=tuple(sorted(families[m])),
            needed_by=tuple(sorted(needed_by.get(m, ()))),
            optional_for=tuple(sorted(optional.get(m, ()))),
        )
        for m in files
    )


def packages(versions: Iterable[WorkflowVersion]) -> tuple[NeededPackage, ...]:
    """Every package of custom nodes of the versions, by name."""
    classes: dict[str, set[str]] = {}
    users: dict[str, set[str]] = {}
    for version in versions:
        for custom in version.manifest.custom_nodes:
            classes.setdefault(custom.package, set()).update(custom.classes)
            users.setdefault(custom.package, set()).add(version.ref.name)
    return tuple(
        NeededPackage(
            package=name,
            classes=tuple(sorted(classes[name])),
            needed_by=tuple(sorted(users[name])),
        )
        for name in sorted(classes)
    )


def lacking(model: NeededModel, engines: Sequence[EngineSnapshot]) -> tuple[str, ...]:
    """The ids of the examined ComfyUI engines that do not offer the file."""
    return tuple(
        e.engine_id
        for e in engines
        if e.kind == "comfyui"
        and e.node_classes
        and model.file not in e.choices.get(model.loader, ())
    )


def absent_classes(package: NeededPackage, engine: EngineSnapshot) -> tuple[str, ...]:
    """The classes of a package that an engine does not have."""
    return tuple(c for c in package.classes if c not in engine.node_classes)


def _loaded(
    version: WorkflowVersion, name: QualityProfile, switches: dict[str, bool]
) -> set[ModelFile]:
    profile = version.manifest.profiles[name]
    graphs = trial_graphs(version, profile, switches)
    return {model for graph in graphs for model in needed_models(version, graph)}


def _fetched_by(folder: str) -> str | None:
    if folder.startswith(PACKAGE_FOLDER):
        return folder.removeprefix(PACKAGE_FOLDER)
    return "ComfyUI-segment-anything-2" if folder == "sam2" else None
