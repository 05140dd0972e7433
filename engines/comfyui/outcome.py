"""How a prompt ended, read from its history entry.

Owns the outcome types and the reading of /history. It asks nobody: whether an entry exists
is for the client to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from .errors import EXCERPT_CHARS, excerpt
from .outputs import OutputFile, files_in

MAX_TRACEBACK_LINES = 60
_OOM_TYPES = ("OutOfMemoryError", "MemoryError")
_OOM_TEXTS = ("out of memory", "not enough memory", "can't allocate memory")


@dataclass(frozen=True, slots=True)
class Record:
    """What the history says of a prompt beside its ending: times in ms since the epoch by the
    server's clock, and the nodes that it took from its cache."""

    prompt_id: str
    started_ms: int | None
    ended_ms: int | None
    cached_nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The prompt ran to its end. The same graph again repeats the old run's file names."""

    outputs: tuple[OutputFile, ...]
    record: Record | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """A node raised. `message` and `traceback` are the engine's own, cut to a sane length.

    `outputs` are the files of nodes that finished before. `oom` is true when memory, the
    GPU's or the host's, ran out.
    """

    node: str | None
    node_type: str | None
    exception_type: str
    message: str
    oom: bool
    traceback: tuple[str, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    record: Record | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Somebody interrupted the prompt; this is not a failure of the graph."""

    node: str | None
    outputs: tuple[OutputFile, ...] = ()
    record: Record | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """Neither queued nor in history, confirmed: the engine restarted, or it was deleted."""

    looks: int
    absent_s: float


@dataclass(frozen=True, slots=True)
class Overdue:
    """The caller's deadline passed first; the prompt was left as it is."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Stalled:
    """The prompt, or the engine in front of it, gave no sign of life; it was left as it is."""

    after_s: float
    running: bool


Ended: TypeAlias = Succeeded | Failed | Interrupted
Outcome: TypeAlias = Succeeded | Failed | Interrupted | Lost | Overdue | Stalled


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One ended prompt."""

    outcome: Ended
    outputs: tuple[OutputFile, ...]
    record: Record


def history_entry(prompt_id: str, entry: Mapping[str, Any]) -> HistoryEntry:
    """Reads one non-empty entry of GET /history/{id}.

    `status_str` is "error" for an interrupt too, so the last ending message decides; without
    one (other servers, old versions) only a literal "success" counts as success.
    """
    outputs = files_in(entry.get("outputs"))
    status = entry.get("status")
    status = status if isinstance(status, Mapping) else {}
    messages = _messages(status.get("messages"))
    first = dict(reversed(messages))  # a name told twice keeps its first data
    started, cached = first.get("execution_start", {}), first.get("execution_cached", {})
    endings = [message for message in messages if message[0] in _READERS]
    name, last = endings[-1] if endings else _unspoken(status.get("status_str"))
    nodes = cached.get("nodes")
    record = Record(
        prompt_id=prompt_id,
        started_ms=_whole(started.get("timestamp")),
        ended_ms=_whole(last.get("timestamp")),
        cached_nodes=tuple(str(n) for n in nodes) if isinstance(nodes, list) else (),
    )
    outcome = replace(_READERS[name](last, outputs), record=record)
    return HistoryEntry(outcome=outcome, outputs=outputs, record=record)


def is_out_of_memory(exception_type: str, message: str) -> bool:
    """Whether an execution error means that GPU or host memory ran out."""
    low = message.lower()
    return exception_type.endswith(_OOM_TYPES) or any(text in low for text in _OOM_TEXTS)


def failure(data: Mapping[str, Any], outputs: tuple[OutputFile, ...] = ()) -> Failed:
    """A Failed from an execution_error's data; tensor texts in current_inputs are left out."""
    kind = str(data.get("exception_type") or "unknown")
    message = str(data.get("exception_message") or "").strip()
    lines = data.get("traceback")
    lines = lines if isinstance(lines, list) else []
    return Failed(
        node=_text(data.get("node_id")),
        node_type=_text(data.get("node_type")),
        exception_type=kind,
        message=message
        if len(message) <= 4 * EXCERPT_CHARS
        else message[: 4 * EXCERPT_CHARS] + "…",
        oom=is_out_of_memory(kind, message),
        traceback=tuple(excerpt(str(line)) for line in lines[-MAX_TRACEBACK_LINES:]),
        outputs=outputs,
    )


def _succeeded(data: Mapping[str, Any], outputs: tuple[OutputFile, ...]) -> Ended:
    return Succeeded(outputs)


def _interrupted(data: Mapping[str, Any], outputs: tuple[OutputFile, ...]) -> Ended:
    return Interrupted(_text(data.get("node_id")), outputs)


_READERS = {
    "execution_success": _succeeded,
    "execution_error": failure,
    "execution_interrupted": _interrupted,
}


def _unspoken(status: object) -> tuple[str, Mapping[str, Any]]:
    if status == "success":
        return "execution_success", {}
    return "execution_error", {"exception_message": f"the engine told no end, status {status!r}"}


def _messages(raw: object) -> list[tuple[str, Mapping[str, Any]]]:
    pairs = raw if isinstance(raw, list) else []
    return [
        (str(pair[0]), pair[1])
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], Mapping)
    ]


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
