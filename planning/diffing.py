"""How two versions of workflows differ, line by line. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from planning.workflow import WorkflowVersion


def files_of(version: WorkflowVersion) -> dict[str, Any]:
    """The content of a version by file name, as released (keys in order, defaults written out)."""
    files: dict[str, Any] = {
        "manifest.json": version.manifest.model_dump(mode="json"),
        "graph.json": version.graph,
        "bindings.json": version.bindings.model_dump(mode="json"),
    }
    if version.continuation is not None:
        files["graph_next.json"] = version.continuation.graph
        files["bindings_next.json"] = version.continuation.bindings.model_dump(mode="json")
    return files


def diff(old: WorkflowVersion, new: WorkflowVersion) -> list[str]:
    """The unified diff from one version to another, without line ends; empty when equal."""
    before, after = (_lines_of(files_of(v)) for v in (old, new))
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        lines += difflib.unified_diff(
            before.get(name, []),
            after.get(name, []),
            f"{old.ref.name}/{old.ref.version}/{name}",
            f"{new.ref.name}/{new.ref.version}/{name}",
            lineterm="",
        )
    return lines


def _lines_of(files: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        name: json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
        for name, content in files.items()
    }
