"""What the server tells about running work.

Owns the reading of the two progress answers. Neither says that a run succeeded, and neither
is needed for one: they are for people who wait, and to see an interrupt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerProgress:
    """GET /sdapi/v1/progress: whatever runs, ours or not; idle where `job_count` is 0.

    `share` is 0 to 1. `interrupted` holds for the running job, or for the last one when idle.
    """

    share: float
    job_count: int
    job_no: int
    step: int
    steps: int
    interrupted: bool

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return self.job_count == 0


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """POST /internal/progress for one task; a failed task stays `active`."""

    active: bool
    queued: bool
    completed: bool
    share: float | None


def server_progress(body: Mapping[str, Any]) -> ServerProgress:
    """Raises ValueError for another shape."""
    state = body.get("state")
    if not isinstance(state, Mapping):
        raise ValueError("no state")  # noqa: TRY004 - one error for another shape
    return ServerProgress(
        share=_share(body.get("progress")) or 0.0,
        job_count=_count(state.get("job_count")),
        job_no=_count(state.get("job_no")),
        step=_count(state.get("sampling_step")),
        steps=_count(state.get("sampling_steps")),
        interrupted=bool(state.get("interrupted")),
    )


def task_progress(body: Mapping[str, Any]) -> TaskProgress:
    """Missing fields read as false."""
    return TaskProgress(
        active=bool(body.get("active")),
        queued=bool(body.get("queued")),
        completed=bool(body.get("completed")),
        share=_share(body.get("progress")),
    )


def _share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(1.0, max(0.0, float(value)))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
