"""docs/models.md, from the manifests: every file, folder, node package and setting. Pure.

Must not say anything that a manifest or a setting does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cli.model_places import ModelPlaces
from planning.models import NeededModel, NeededPackage, needed, packages
from planning.workflow import WorkflowVersion

COMMAND = "animatrix models page"


def model_page(versions: Sequence[WorkflowVersion], places: ModelPlaces) -> str:
    """The page for these versions, as Markdown."""
    files = needed(versions)
    own = [m for m in files if m.fetched_by is None]
    fetched = [m for m in files if m.fetched_by is not None]
    lines = [
        "# Models and custom nodes",
        "",
        f"Generated from the manifests by `{COMMAND}`; do not edit. `animatrix models check` says "
        "which of this an engine lacks and where it goes.",
        "",
        "## Model files",
        "",
        "Folders are below ComfyUI's `models/`.",
        "",
        *_table(("folder", "file", "needed by", "only when asked for"), map(_file_row, own)),
        "",
        "## Files that a package fetches itself",
        "",
        "On first use, from the internet; a machine without it needs them put there before.",
        "",
        *_table(("package", "file", "needed by"), map(_fetched_row, fetched)),
        "",
        "## Custom nodes",
        "",
        *_table(("package", "classes", "needed by"), map(_package_row, packages(versions))),
        "",
        "ComfyUI tells no version of a package. What counts is compared instead: every input, "
        "output, list and range that the graphs use.",
        "",
        "## Versions of ComfyUI",
        "",
        *_table(
            ("workflow", "version", "model family", "ComfyUI"),
            (_version_row(v) for v in versions),
        ),
        "",
        "## Where files are kept",
        "",
        *_table(("setting", "default", "meaning"), _setting_rows()),
        "",
        "Nothing here copies files: an operator brings each from below "
        + ", ".join(f"`{s}`" for s in _sources(files, places))
        + f" to `{places.staged('FILE')}`, and from there to "
        f"`{places.destination('FOLDER', 'FILE')}`.",
    ]
    return "\n".join(lines) + "\n"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(headings)} |",
        f"|{'---|' * len(headings)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _grouped(users: Sequence[str]) -> str:
    """The profiles of each workflow together: "wan22_s2v: draft, high"."""
    found: dict[str, list[str]] = {}
    for user in users:
        workflow, _, profile = user.partition(" ")
        found.setdefault(workflow, []).append(profile)
    return "; ".join(f"{name}: {', '.join(profiles)}" for name, profiles in found.items())


def _file_row(model: NeededModel) -> tuple[str, ...]:
    return (
        f"`{model.folder}`",
        f"`{model.file}`",
        _grouped(model.needed_by),
        _grouped(model.optional_for),
    )


def _fetched_row(model: NeededModel) -> tuple[str, ...]:
    return f"`{model.fetched_by}`", f"`{model.file}`", _grouped(model.needed_by)


def _package_row(package: NeededPackage) -> tuple[str, ...]:
    classes = ", ".join(f"`{name}`" for name in package.classes)
    return f"`{package.package}`", classes, ", ".join(package.needed_by)


def _version_row(version: WorkflowVersion) -> tuple[str, ...]:
    manifest = version.manifest
    return (
        f"`{version.ref.name}`",
        version.ref.version,
        manifest.model_family,
        f"`{manifest.compatible_backend_version}`",
    )


def _setting_rows() -> Iterable[tuple[str, ...]]:
    for name, field in ModelPlaces.model_fields.items():
        yield f"`ANIMATRIX_MODELS_{name.upper()}`", f"`{field.default}`", field.description or ""


def _sources(files: Iterable[NeededModel], places: ModelPlaces) -> list[str]:
    return sorted({source for model in files for source in places.sources(model)})
