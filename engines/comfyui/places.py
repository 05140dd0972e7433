"""Where a prompt is: the queue, the history, or nowhere.

Owns the types that `ComfyClient.find` answers with and the reading of GET /queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .outcome import HistoryEntry


@dataclass(frozen=True, slots=True)
class QueuedPrompt:
    """One entry of the queue, without its graph. Lower (number, prompt_id) runs first."""

    number: float
    prompt_id: str


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """GET /queue: what runs (at most one on today's servers) and what waits, in running order."""

    running: tuple[QueuedPrompt, ...]
    pending: tuple[QueuedPrompt, ...]

    def ahead_of(self, prompt_id: str) -> int | None:
        """How many prompts run before a pending one; None when it does not wait here."""
        for place, prompt in enumerate(self.pending):
            if prompt.prompt_id == prompt_id:
                return len(self.running) + place
        return None

    def runs(self, prompt_id: str) -> bool:
        """Whether this prompt is the one being executed."""
        return any(prompt.prompt_id == prompt_id for prompt in self.running)

    def holds(self, prompt_id: str) -> bool:
        """Whether the prompt runs or waits."""
        return self.copies(prompt_id) > 0

    def copies(self, prompt_id: str) -> int:
        """How often the prompt is here: a server takes the same id any number of times."""
        return sum(prompt.prompt_id == prompt_id for prompt in (*self.running, *self.pending))


@dataclass(frozen=True, slots=True)
class Running:
    """The engine executes the prompt now; `copies` beyond one wait to be executed again."""

    copies: int = 1


@dataclass(frozen=True, slots=True)
class Pending:
    """The prompt waits behind `ahead` others, the running one included, `copies` times."""

    ahead: int
    copies: int = 1


@dataclass(frozen=True, slots=True)
class InHistory:
    """The prompt ended; its entry says how."""

    entry: HistoryEntry


@dataclass(frozen=True, slots=True)
class Absent:
    """Neither queued nor in history at this look; one look alone proves nothing."""


Place: TypeAlias = Running | Pending | InHistory | Absent


def queue_snapshot(body: Mapping[str, Any]) -> QueueSnapshot:
    """Reads GET /queue's answer, passing over the graphs that it carries.

    Pending prompts come in heap order and are sorted here into the order they run in.
    Raises ValueError for another shape: an unreadable queue must never look like an empty one.
    """
    return QueueSnapshot(
        running=tuple(_prompts(body, "queue_running")),
        pending=tuple(
            sorted(
                _prompts(body, "queue_pending"),
                key=lambda prompt: (prompt.number, prompt.prompt_id),
            )
        ),
    )


def _prompts(body: Mapping[str, Any], key: str) -> list[QueuedPrompt]:
    rows = body.get(key)
    if not isinstance(rows, list):
        raise ValueError(f"{key} is not a list")  # noqa: TRY004 - foreign data, not a caller's type
    found = []
    for row in rows:
        if not isinstance(row, list) or len(row) < 2 or not isinstance(row[0], int | float):
            raise ValueError(f"{key} holds something that is no prompt")
        found.append(QueuedPrompt(number=row[0], prompt_id=str(row[1])))
    return found
