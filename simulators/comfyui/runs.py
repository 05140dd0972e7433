"""One prompt while it runs, and what is reported when it ends.

Owns the record of a run and the shape of execution errors; it runs nothing itself.
"""

import traceback
from dataclasses import dataclass, field
from typing import Any

from simulators.comfyui.nodes import Done
from simulators.comfyui.queue import QueuedPrompt
from simulators.comfyui.walk import Signatures


class Interrupted(Exception):
    """The running prompt was asked to stop."""


@dataclass(frozen=True)
class Cached:
    """A kept result."""

    done: Done
    shown_meta: dict[str, Any]


@dataclass
class Run:
    """One prompt while it runs."""

    prompt: QueuedPrompt
    signatures: Signatures
    messages: list[list[Any]] = field(default_factory=list)
    progress: dict[str, dict[str, Any]] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    results: dict[str, Done] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    outcome: str = "success"
    node: str = ""


def described(fault: Exception, run: Run) -> dict[str, Any]:
    """An exception as execution_error gives it."""
    kind = type(fault)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    name = getattr(kind, "reported_as", f"{module}{kind.__qualname__}")
    text = f"{fault}\n"
    if name == "torch.OutOfMemoryError":
        text = f"Allocation on device: {fault}\nTIPS: try a smaller size or fewer frames.\n"
    inputs = run.prompt.graph[run.node].get("inputs", {}) if run.node else {}
    return {
        "node_id": run.node,
        "exception_message": text,
        "exception_type": name,
        "traceback": traceback.format_tb(fault.__traceback__),
        "current_inputs": {key: [str(value)] for key, value in inputs.items()},
        "current_outputs": list(run.results),
    }


def files_of(outputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Every listed file of type output."""
    lists = [items for shown in outputs.values() for items in shown.values()]
    items = [item for listed in lists for item in listed if isinstance(item, dict)]
    return [item for item in items if item.get("type") == "output"]
