"""The one place that says which event may follow which, and what state that makes.

Pure: folds events into a JobState. Used by the projector, by every terminal decision and by the
tests. Must not decide what a service does about a state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from contracts.events import (
    AnyJobEvent,
    CancelRequested,
    ExecutionFinished,
    JobCancelled,
    JobCompleted,
    JobComposed,
    JobDeleted,
    JobFailed,
    JobSubmitted,
    MediaPrepared,
    RetryRequested,
    StepAssigned,
    StepFinished,
    StepReady,
    StepStarted,
    event_name,
)

PublicState = Literal[
    "accepted",
    "uploaded",
    "queued",
    "executing",
    "collecting_outputs",
    "completed",
    "failed",
    "cancelled",
]
"""The states of SRS §18.4, with `cancelled`."""

TERMINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})


class IllegalTransition(ValueError):
    """An event that may not follow what is already known of the job."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What is known of a job after its events so far.

    `told` are the ids of events that could rightly come once more, after a retry or when a step
    moves: a duplicate of one must not count twice.
    """

    job_id: str
    state: PublicState | None = None
    submitted: JobSubmitted | None = None
    prepared: MediaPrepared | None = None
    composed: JobComposed | None = None
    ready: StepReady | None = None
    assigned: StepAssigned | None = None
    started: StepStarted | None = None
    finished: dict[int, StepFinished] = field(default_factory=dict)
    execution: ExecutionFinished | None = None
    cancel: CancelRequested | None = None
    retry: RetryRequested | None = None
    completed: JobCompleted | None = None
    failed: JobFailed | None = None
    cancelled: JobCancelled | None = None
    deleted: bool = False
    attempt: int = 1
    told: frozenset[str] = frozenset()

    @property
    def ended(self) -> bool:
        """True when nothing but a retry or a deletion may follow."""
        return self.state in TERMINAL

    @property
    def comfy_prompt_id(self) -> str | None:
        """The prompt id of the latest assigned step."""
        return self.assigned.comfy_prompt_id if self.assigned else None


def _ready_again(s: JobState) -> PublicState:
    if s.composed:
        return "queued"
    return "uploaded" if s.prepared else "accepted"


def _kept_steps(s: JobState) -> dict[int, StepFinished]:
    """The finished steps that a retry builds on.

    What the collector refused has to be generated again. So has everything when no step is open:
    the retry needs a step to run, and which of the results was at fault is not known.
    """
    refused = s.failed is not None and s.failed.service == "collector"
    none_open = s.composed is not None and len(s.finished) >= s.composed.steps
    return {} if refused or none_open else s.finished


def _refusal_of_start(s: JobState, event: RetryRequested) -> str | None:
    """Why the job cannot be taken up where the retry wants it."""
    absent = {
        "composition": s.prepared is None and "its media were never prepared",
        "execution": s.composed is None and "it was never composed",
        "collection": s.execution is None and "no results wait to be collected",
    }.get(event.start or "")
    return f"retry_requested from {event.start}, but {absent}" if absent else None


def _restarted(s: JobState, event: RetryRequested) -> JobState:
    again = replace(
        s,
        state=_ready_again(s),
        retry=event,
        attempt=event.attempt,
        finished=_kept_steps(s),
        failed=None,
        cancel=None,
        execution=None,
    )
    match event.start:
        case "media":
            return replace(again, state="accepted", prepared=None, composed=None, finished={})
        case "composition":
            return replace(again, state="uploaded", composed=None, finished={})
        case "execution":
            return replace(again, state="queued", finished={})
        case "collection":
            kept = s.finished
            return replace(again, state="collecting_outputs", finished=kept, execution=s.execution)
    return again


def refusal(s: JobState, event: AnyJobEvent) -> str | None:
    """Why the event may not follow, or None when it may. The sentence is for operators."""
    name = event_name(event)
    if event.job_id != s.job_id:
        return f"{name} belongs to job {event.job_id}"
    if event.event_id in s.told:
        return f"{name} told before"
    if s.deleted:
        return f"{name} after job_deleted"
    if s.state is None:
        return None if isinstance(event, JobSubmitted) else f"{name} before job_submitted"
    if isinstance(event, JobSubmitted):
        return "job_submitted twice"
    if isinstance(event, JobDeleted):
        return None if s.ended else "job_deleted before the job ended"
    if isinstance(event, RetryRequested):
        if s.state != "failed":
            return f"retry_requested in state {s.state}"
        if event.attempt <= s.attempt:
            return f"retry_requested for attempt {event.attempt}"
        return _refusal_of_start(s, event)
    if s.ended:
        return f"{name} after the job was {s.state}"
    return _refusal_while_alive(s, event, name)


_ALLOWED: dict[type, tuple[PublicState, ...]] = {
    MediaPrepared: ("accepted",),
    JobComposed: ("uploaded",),
    StepReady: ("queued", "executing"),
    StepAssigned: ("queued", "executing"),
    StepStarted: ("queued", "executing"),
    StepFinished: ("queued", "executing"),
    ExecutionFinished: ("queued", "executing"),
    JobCompleted: ("collecting_outputs",),
}
"""In which states an event of a job that goes on may come."""


def _refusal_while_alive(s: JobState, event: AnyJobEvent, name: str) -> str | None:
    if isinstance(event, (JobFailed, JobCancelled)):
        return None
    if isinstance(event, CancelRequested):
        return "cancel_requested twice" if s.cancel else None
    if s.state not in _ALLOWED[type(event)]:
        return f"{name} in state {s.state}"
    return _refusal_of_step(s, event, name)


def _refusal_of_step(s: JobState, event: AnyJobEvent, name: str) -> str | None:
    if isinstance(event, StepReady):
        if event.attempt < s.attempt:
            return f"{name} of attempt {event.attempt}, the job is at {s.attempt}"
        if s.ready and (event.step, event.attempt) == (s.ready.step, s.ready.attempt):
            return f"{name} of step {event.step} attempt {event.attempt} twice"
        if event.step > 0 and event.step - 1 not in s.finished:
            return f"{name} of step {event.step} before step {event.step - 1} finished"
        return f"{name} of a finished step" if event.step in s.finished else None
    if isinstance(event, StepFinished):
        r = event.result
        if s.assigned is None or (r.step, r.attempt) != (s.assigned.step, s.assigned.attempt):
            return f"{name} of step {r.step} attempt {r.attempt}, which is not assigned"
        if r.attempt != s.attempt:
            return f"{name} of attempt {r.attempt}, the job is at {s.attempt}"
        return f"{name} of step {r.step} twice" if r.step in s.finished else None
    if isinstance(event, (StepAssigned, StepStarted)):
        if s.ready is None or (event.step, event.attempt) != (s.ready.step, s.ready.attempt):
            return f"{name} of step {event.step} attempt {event.attempt}, which is not ready"
        return f"{name} of a finished step" if event.step in s.finished else None
    if isinstance(event, ExecutionFinished) and s.composed:
        if event.attempt != s.attempt:
            return f"{name} of attempt {event.attempt}, the job is at {s.attempt}"
        missing = [n for n in range(s.composed.steps) if n not in s.finished]
        return f"{name} while steps {missing} are open" if missing else None
    if isinstance(event, JobCompleted) and event.attempt != s.attempt:
        return f"{name} of attempt {event.attempt}, the job is at {s.attempt}"
    return None


def _told(s: JobState, event: AnyJobEvent) -> frozenset[str]:
    return s.told | {event.event_id}


def apply(s: JobState, event: AnyJobEvent) -> JobState:
    """The state after the event. Raises IllegalTransition when it may not follow."""
    why = refusal(s, event)
    if why is not None:
        raise IllegalTransition(why)
    return _after(s, event)


def _after(s: JobState, event: AnyJobEvent) -> JobState:
    match event:
        case JobSubmitted():
            return replace(s, state="accepted", submitted=event)
        case MediaPrepared():
            return replace(s, state="uploaded", prepared=event, told=_told(s, event))
        case JobComposed():
            return replace(s, state="queued", composed=event, told=_told(s, event))
        case StepReady():
            return replace(s, ready=event, attempt=event.attempt)
        case StepAssigned():
            return replace(s, assigned=event, told=_told(s, event))
        case StepStarted():
            return replace(s, state="executing", started=event, told=_told(s, event))
        case StepFinished():
            return replace(s, finished={**s.finished, event.result.step: event})
        case ExecutionFinished():
            return replace(s, state="collecting_outputs", execution=event)
        case CancelRequested():
            return replace(s, cancel=event, told=_told(s, event))
        case RetryRequested():
            return _restarted(s, event)
        case JobCompleted():
            return replace(s, state="completed", completed=event)
        case JobFailed():
            return replace(s, state="failed", failed=event, told=_told(s, event))
        case JobCancelled():
            return replace(s, state="cancelled", cancelled=event)
        case JobDeleted():
            return replace(s, deleted=True)


def fold(job_id: str, events: Iterable[AnyJobEvent]) -> JobState:
    """The state after all events; those that may not follow (duplicates, strays) change nothing."""
    s = JobState(job_id)
    for event in events:
        if refusal(s, event) is None:
            s = _after(s, event)
    return s
