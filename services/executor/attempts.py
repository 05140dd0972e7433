"""What to do with a step: decided from the job's events alone.

Pure. Owns the rules of starting, taking over, repeating and giving up. It asks no engine and
publishes nothing; `handlers` carries out what is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from contracts.engines import EngineSnapshot
from contracts.errors import ErrorCode
from contracts.events import AnyJobEvent, RetryRequested, StepReady
from contracts.lifecycle import JobState


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing is left to do for this message."""

    reason: str


@dataclass(frozen=True, slots=True)
class Begin:
    """Nobody has assigned this attempt: start it here."""


@dataclass(frozen=True, slots=True)
class Rejoin:
    """This attempt was assigned to this engine: look for its prompt before anything else."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """This attempt was assigned to another engine, which must go on with it."""

    engine_id: str


@dataclass(frozen=True, slots=True)
class GoOn:
    """The step is finished: make sure that what follows was published."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The job is to be cancelled; `prompt_id` is what this engine may hold of it."""

    prompt_id: str | None


Opening = Drop | Begin | Rejoin | Elsewhere | GoOn | Cancel


@dataclass(frozen=True, slots=True)
class Again:
    """Run the step once more as the next attempt; `free_memory` asks the engine for room first."""

    reason: str
    free_memory: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job fails with this error; `detail` is the exact cause for operators."""

    code: ErrorCode
    detail: str


def opening(state: JobState, event: StepReady, engine_id: str) -> Opening:
    """What a delivered step_ready asks for, given all events of its job.

    A step that finished leads to what follows it; one superseded by a later attempt to nothing;
    one that was assigned is taken over by the engine that holds it and by no other.
    """
    if state.state is None or state.deleted:
        return Drop("the job is unknown or deleted")
    if state.ended:
        return Drop(f"the job is {state.state}")
    assigned = state.assigned
    if assigned is not None and (assigned.step, assigned.attempt) != (event.step, event.attempt):
        assigned = None
    unfinished = event.step not in state.finished
    if unfinished and assigned is not None and assigned.engine_id != engine_id:
        return Elsewhere(assigned.engine_id)
    if state.cancel is not None:
        return Cancel(assigned.comfy_prompt_id if assigned is not None else None)
    if not unfinished:
        behind = state.ready is not None and state.ready.step > event.step
        return Drop("what follows was published") if behind or state.execution else GoOn()
    if state.ready is None or (state.ready.step, state.ready.attempt) != (
        event.step,
        event.attempt,
    ):
        return Drop("superseded by a later attempt")
    return Begin() if assigned is None else Rejoin()


def is_begun_on(state: JobState, event: StepReady, engine_id: str) -> bool:
    """Whether this engine, and no other, can go on with a delivered step."""
    match opening(state, event, engine_id):
        case Rejoin() | Cancel(prompt_id=str()):
            return True
    return False


def is_current(state: JobState, event: StepReady) -> bool:
    """Whether this attempt of this step is still the one the job waits for."""
    return (
        not state.ended
        and not state.deleted
        and state.ready is not None
        and (state.ready.step, state.ready.attempt) == (event.step, event.attempt)
        and event.step not in state.finished
    )


def tries_of(events: Iterable[AnyJobEvent], step: int) -> int:
    """How many attempts of the step there were since the user last asked for a retry."""
    tries = 0
    for event in events:
        if isinstance(event, RetryRequested):
            tries = 0
        elif isinstance(event, StepReady) and event.step == step:
            tries += 1
    return tries


def is_gone(snapshot: EngineSnapshot | None, now: datetime, gone_s: float) -> bool:
    """Whether an engine was not seen for so long that its steps may run elsewhere.

    Its executor writes `seen_at` whenever the engine answers, so both a dead engine and an engine
    without an executor grow old here.
    """
    return snapshot is None or (now - snapshot.seen_at).total_seconds() > gone_s


def after_loss(
    tries: int, max_attempts: int, detail: str, code: ErrorCode = ErrorCode.ENGINE_LOST
) -> Again | GiveUp:
    """The engine forgot the prompt, or it was interrupted from outside: bounded attempts.

    `code` is what the job fails with after the last.
    """
    if tries < max_attempts:
        return Again(detail)
    return GiveUp(code, f"{detail}; attempt {tries} of {max_attempts}")


def after_failure(
    detail: str, *, oom: bool, oom_before: bool, tries: int, max_attempts: int
) -> Again | GiveUp:
    """The engine raised: out of memory is tried once more with freed memory, all else is final."""
    if not oom:
        return GiveUp(ErrorCode.ENGINE_FAILED, detail)
    if oom_before or tries >= max_attempts:
        return GiveUp(ErrorCode.ENGINE_OUT_OF_MEMORY, detail)
    return Again(detail, free_memory=True)
