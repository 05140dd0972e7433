"""Reads the released workflow versions and proves them against the lock file.

Owns the layout of the workflows folder. The only module of planning that reads files; must not
decide anything about a job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.base import canonical_bytes, sha256_hex
from contracts.stages import WorkflowRef
from planning.workflow import Bindings, GraphPart, Manifest, Slot, WorkflowVersion

WORKFLOWS_DIR = Path(__file__).resolve().parent.parent / "workflows"
LOCK_FILE = "workflows.lock.json"
PARTS = ("graph", "bindings", "manifest")
CONTINUATION_PARTS = ("graph_next", "bindings_next")
"""Files of a version whose videos may have further segments."""


class WorkflowCorrupt(ValueError):
    """A released version is absent, changed or inconsistent; the sentence is for operators."""


class WorkflowRegistry:
    """Every released version, and which of them new jobs use."""

    def __init__(
        self, versions: tuple[WorkflowVersion, ...], active: Mapping[str, str] | None = None
    ) -> None:
        """`active` maps workflow name → version. What no name of it makes is made by its newest
        version (of several workflows, the first by name's).

        Raises WorkflowCorrupt when it names a version that is not released, or two for one slot.
        """
        self._versions = {(v.ref.name, v.ref.version): v for v in versions}
        chosen: dict[Slot, WorkflowVersion] = {}
        for name, number in (active or {}).items():
            version = self._versions.get((name, number))
            if version is None:
                raise WorkflowCorrupt(f"{name} {number} is not released")
            if chosen.setdefault(version.slot, version) is not version:
                other = chosen[version.slot].ref
                raise WorkflowCorrupt(f"{name} and {other.name} are both active for one mode")
        self._active = {**self._newest(), **chosen}

    def _newest(self) -> dict[Slot, WorkflowVersion]:
        newest: dict[Slot, WorkflowVersion] = {}
        for version in self.versions:
            held = newest.setdefault(version.slot, version)
            if held.ref.name == version.ref.name:
                newest[version.slot] = version
        return newest

    @property
    def versions(self) -> tuple[WorkflowVersion, ...]:
        """Every released version, by name and then version."""
        keys = sorted(self._versions, key=lambda k: (k[0], _version_key(k[1])))
        return tuple(self._versions[k] for k in keys)

    @property
    def active(self) -> tuple[WorkflowVersion, ...]:
        """The version of every mode and submode that new jobs use, by name."""
        return tuple(sorted(self._active.values(), key=lambda v: v.ref.name))

    def with_active(self, active: Mapping[str, str]) -> WorkflowRegistry:
        """The same versions with other choices for new jobs (name → version)."""
        return WorkflowRegistry(self.versions, active)

    def for_mode(self, mode: str, submode: str | None = None) -> WorkflowVersion:
        """The active version that makes a mode. Raises KeyError when none does."""
        for version in self._active.values():
            if version.slot == (mode, submode):
                return version
        raise KeyError(f"no workflow makes {mode}/{submode}")

    def released(self, name: str, version: str) -> WorkflowVersion | None:
        """The released version of a name and number, or None."""
        return self._versions.get((name, version))

    def pinned(self, ref: WorkflowRef) -> WorkflowVersion:
        """The version that a plan pinned. Raises WorkflowCorrupt when it is gone or differs."""
        version = self._versions.get((ref.name, ref.version))
        if version is None:
            raise WorkflowCorrupt(f"{ref.name} {ref.version} is not here")
        if version.ref != ref:
            raise WorkflowCorrupt(
                f"{ref.name} {ref.version} is {version.ref.sha256}, the plan pinned {ref.sha256}"
            )
        return version


@lru_cache(maxsize=4)
def load_workflows(root: Path = WORKFLOWS_DIR) -> WorkflowRegistry:
    """All released versions below `root`, verified against its lock file; read once a process.

    Raises WorkflowCorrupt for a version that the lock lacks, that the lock has and the folder
    lacks, whose content differs from the lock, or whose files contradict each other.
    """
    lock = read_lock(root)
    found = {identity(folder, root): folder for folder in version_folders(root)}
    if set(lock) != set(found):
        raise WorkflowCorrupt(f"lock and folder differ in {sorted(set(lock) ^ set(found))}")
    return WorkflowRegistry(tuple(_load(found[key], key, lock[key]) for key in sorted(found)))


def version_folders(root: Path) -> tuple[Path, ...]:
    """The folders <family>/<workflow>/<version> below `root`, in order."""
    return tuple(sorted(p.parent for p in root.glob("*/*/*/manifest.json")))


def identity(folder: Path, root: Path) -> str:
    """The lock's name of a version: "<family>/<workflow>/<version>"."""
    return folder.relative_to(root).as_posix()


def read_lock(root: Path) -> dict[str, str]:
    """The lock: identity → sha256. Raises WorkflowCorrupt when it is absent or unreadable."""
    try:
        released: dict[str, str] = json.loads((root / LOCK_FILE).read_bytes())["released"]
    except (OSError, ValueError, KeyError) as error:
        raise WorkflowCorrupt(f"the lock file of {root} cannot be read: {error}") from error
    return released


def content_sha256(parts: Mapping[str, Any]) -> str:
    """The hash of a version over its files in canonical form: layout may change, content not."""
    return sha256_hex(canonical_bytes(dict(parts)))


def read_parts(folder: Path) -> dict[str, Any]:
    """The JSON of a version's files: three, or five where it has a continuation.

    Raises WorkflowCorrupt when one cannot be read.
    """
    further = tuple(p for p in CONTINUATION_PARTS if (folder / f"{p}.json").exists())
    try:
        return {p: json.loads((folder / f"{p}.json").read_bytes()) for p in (*PARTS, *further)}
    except (OSError, ValueError) as error:
        raise WorkflowCorrupt(f"{folder}: {error}") from error


def _load(folder: Path, key: str, locked: str) -> WorkflowVersion:
    parts = read_parts(folder)
    sha256 = content_sha256(parts)
    if sha256 != locked:
        raise WorkflowCorrupt(f"{key} is {sha256}, its release was {locked}")
    try:
        bindings = Bindings.model_validate(parts["bindings"])
        manifest = Manifest.model_validate(parts["manifest"])
        continuation = _continuation(parts)
    except (ValidationError, KeyError) as error:
        raise WorkflowCorrupt(f"{key}: {error}") from error
    if key != f"{manifest.family}/{manifest.workflow_name}/{manifest.workflow_version}":
        raise WorkflowCorrupt(f"{key} says that it is {manifest.workflow_name}")
    ref = WorkflowRef(
        family=manifest.family,
        name=manifest.workflow_name,
        version=manifest.workflow_version,
        sha256=sha256,
    )
    version = WorkflowVersion(
        ref=ref,
        graph=parts["graph"],
        bindings=bindings,
        manifest=manifest,
        continuation=continuation,
    )
    _check_version(version, key)
    return version


def _continuation(parts: Mapping[str, Any]) -> GraphPart | None:
    if not any(part in parts for part in CONTINUATION_PARTS):
        return None
    graph, bindings = (parts[part] for part in CONTINUATION_PARTS)
    return GraphPart(graph, Bindings.model_validate(bindings))


def _check_version(version: WorkflowVersion, key: str) -> None:
    for part in version.parts:
        _check_bindings(part, key)
    first, *further = version.parts
    for part in further:
        if part.bindings.switches.keys() != first.bindings.switches.keys():
            raise WorkflowCorrupt(f"{key} has other switches in its continuation")
        if not part.bindings.checkpoints.keys() <= first.bindings.outputs.keys():
            raise WorkflowCorrupt(f"{key} goes on from an output that nothing saves")
    if bool(further) != (version.manifest.frames.continuation is not None):
        raise WorkflowCorrupt(f"{key}: continuation graph and frame rule contradict each other")
    used = {n["class_type"] for part in version.parts for n in part.graph.values()}
    if used != set(version.manifest.node_classes):
        raise WorkflowCorrupt(f"{key} lists other node classes than its graph uses")


def _check_bindings(part: GraphPart, key: str) -> None:
    b = part.bindings
    places = [place for group in b.parameters.values() for place in group]
    places += [place for medium in b.media.values() for place in medium.at]
    places += [place for group in b.slots.values() for place in group]
    places += [place for group in b.checkpoints.values() for place in group]
    for place in places:
        if place.input not in part.graph.get(place.node, {}).get("inputs", {}):
            raise WorkflowCorrupt(f"{key} binds {place.node}.{place.input}, which is not there")
    for name, switch in b.switches.items():
        passed = part.graph.get(switch.node, {}).get("inputs", {}).get(switch.passes)
        if not isinstance(passed, list):
            raise WorkflowCorrupt(f"{key} switch {name} passes no link")
    for name, output in b.outputs.items():
        if output.node not in part.graph:
            raise WorkflowCorrupt(f"{key} output {name} is saved by no node")


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
