"""What a user is told of a job's events.

Owns their public names. Pure. Must not know who listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.events import (
    AnyJobEvent,
    ExecutionFinished,
    JobCancelled,
    JobCompleted,
    JobComposed,
    JobDeleted,
    JobFailed,
    JobSubmitted,
    MediaPrepared,
    RetryRequested,
    StepStarted,
)
from contracts.lifecycle import TERMINAL, JobState
from services.gateway.projection import Row, public_error

_SHOWN: dict[type, str] = {
    JobSubmitted: "accepted",
    MediaPrepared: "uploaded",
    JobComposed: "queued",
    StepStarted: "executing",
    ExecutionFinished: "collecting_outputs",
    JobCompleted: "completed",
    JobFailed: "failed",
    JobCancelled: "cancelled",
    JobDeleted: "deleted",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A durable event as a user is told of it. `name` is the SSE event."""

    sequence: int
    job_id: str
    owner: str
    name: str
    status: str
    mode: str
    at: datetime
    error: Row | None = None

    @property
    def terminal(self) -> bool:
        """True when the job has ended with it."""
        return self.name in TERMINAL


def told(event: AnyJobEvent, sequence: int, state: JobState) -> Told | None:
    """What a user is told of an event that led to `state`; None for inner events."""
    name = state.state if isinstance(event, RetryRequested) else _SHOWN.get(type(event))
    if name is None or state.state is None or state.submitted is None:
        return None
    return Told(
        sequence=sequence,
        job_id=event.job_id,
        owner=state.submitted.owner,
        name=name,
        status=state.state,
        mode=state.submitted.plan.mode,
        at=event.occurred_at,
        error=public_error(event.error) if isinstance(event, JobFailed) else None,
    )
