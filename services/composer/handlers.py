"""What the composer does about an event: brings a job with prepared media to its next ready step.

Both events lead to the same place, and doing it again changes nothing: composed bytes are equal,
and what the job's tail already holds is not said twice. The composing itself is in composition.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from contracts import keys
from contracts.base import canonical_bytes, sha256_hex
from contracts.errors import ErrorCode, error_info
from contracts.events import (
    AnyJobEvent,
    ExecutionFinished,
    JobCancelled,
    JobComposed,
    JobFailed,
    MediaPrepared,
    RetryRequested,
    StepReady,
)
from contracts.lifecycle import JobState
from contracts.plan import ExecutionReport, RunPlan
from planning.binding import BindingFailed
from planning.registry import WorkflowCorrupt, WorkflowRegistry
from runtime import tasks
from runtime.bus import Bus
from runtime.media_store import MediaMissing, MediaStore
from runtime.outcome import Ack, Outcome
from runtime.stamp import stamp
from runtime.telemetry import span
from services.composer.composition import Composition, compose

log = structlog.get_logger()

Cause = MediaPrepared | RetryRequested


@dataclass(frozen=True, slots=True)
class Deps:
    """What the handlers work with."""

    bus: Bus
    media: MediaStore
    workflows: WorkflowRegistry


async def on_media_prepared(event: MediaPrepared, deps: Deps) -> Outcome:
    """Compose the job and make its first step ready."""
    return await _advance(event, deps)


async def on_retry_requested(event: RetryRequested, deps: Deps) -> Outcome:
    """Make the first open step ready for the new attempt, composing first if that never happened.

    A job whose media were never prepared is not the composer's: media_prepared will come.
    """
    return await _advance(event, deps)


async def _advance(event: Cause, deps: Deps) -> Outcome:
    state = (await deps.bus.job(event.job_id)).state
    if state.ended or state.deleted or state.prepared is None or state.submitted is None:
        return Ack()
    if state.execution is not None:
        # Its results are being collected (again).
        return Ack()
    if state.cancel is not None and state.assigned is None:
        cancelled = JobCancelled(**stamp(event), job_id=event.job_id, service="composer")
        await deps.bus.decide(event.job_id, lambda s: cancelled if _unassigned_cancel(s) else None)
        return Ack()
    if _step_is_ready(state):
        return Ack()
    try:
        run_plan = await _composed(state, event, deps)
    except (BindingFailed, WorkflowCorrupt) as fault:
        log.warning("job cannot be bound", reason=str(fault))
        error = error_info(ErrorCode.WORKFLOW_BINDING_FAILED, detail=str(fault))
        failed = JobFailed(
            **stamp(event),
            job_id=event.job_id,
            service="composer",
            error=error,
            attempt=state.attempt,
        )
        await deps.bus.decide(
            event.job_id, lambda s: failed if s.attempt == state.attempt else None
        )
        return Ack()
    if run_plan.steps:
        await deps.bus.decide(event.job_id, lambda s: _next_ready(s, event, run_plan))
    else:
        await _finish_without_steps(event, run_plan, deps)
    return Ack()


async def _finish_without_steps(event: Cause, run_plan: RunPlan, deps: Deps) -> None:
    """A job without steps needs no engine: it is executed as soon as it is composed.

    The report of each attempt is its own; doing it again says nothing twice.
    """
    state = (await deps.bus.job(event.job_id)).state
    if state.composed is None:
        return
    report = ExecutionReport(
        job_id=event.job_id,
        attempt=state.attempt,
        run_plan=state.composed.run_plan,
        results=(),
    )
    key = keys.execution_report(event.job_id, state.attempt)
    stored = await deps.media.put_bytes(key, canonical_bytes(report))

    def finish(now: JobState) -> AnyJobEvent | None:
        if now.attempt != state.attempt or now.cancel is not None or now.execution is not None:
            return None
        return ExecutionFinished(
            **stamp(event), job_id=event.job_id, attempt=state.attempt, report=stored
        )

    await deps.bus.decide(event.job_id, finish)


def _unassigned_cancel(state: JobState) -> bool:
    return state.cancel is not None and state.assigned is None


def _step_is_ready(state: JobState) -> bool:
    return state.ready is not None and state.ready.attempt >= state.attempt


def _next_ready(state: JobState, cause: Cause, run_plan: RunPlan) -> AnyJobEvent | None:
    """The first step that is not finished, ready in the job's current attempt."""
    if state.composed is None or state.cancel is not None or _step_is_ready(state):
        return None
    step = next((s for s in run_plan.steps if s.index not in state.finished), None)
    if step is None:
        return None
    return StepReady(
        **stamp(cause),
        job_id=state.job_id,
        owner=state.submitted.owner if state.submitted else "",
        lane=step.lane,
        step=step.index,
        steps=len(run_plan.steps),
        stage=step.stage,
        segment=step.segment,
        attempt=state.attempt,
        run_plan=state.composed.run_plan,
    )


async def _composed(state: JobState, cause: Cause, deps: Deps) -> RunPlan:
    """The job's run plan: as announced, else composed, stored and announced now.

    Raises BindingFailed, WorkflowCorrupt.
    """
    announced = state.composed
    if announced is not None:
        try:
            data = await deps.media.read_bytes(announced.run_plan.key)
            if sha256_hex(data) == announced.run_plan.sha256:
                return RunPlan.model_validate_json(data)
            log.warning("stored run plan differs from the announced one; composing again")
        except MediaMissing:
            log.warning("announced run plan is gone; composing again")
    made = await _store(state, deps)
    if announced is not None and made.run_plan_file != announced.run_plan:
        raise BindingFailed("the job composes to another run plan than was announced")
    event = JobComposed(
        **stamp(cause),
        job_id=state.job_id,
        record=made.run_plan.record,
        run_plan=made.run_plan_file,
        steps=len(made.run_plan.steps),
    )
    await deps.bus.decide(state.job_id, lambda s: event if s.composed is None else None)
    return made.run_plan


async def _store(state: JobState, deps: Deps) -> Composition:
    if state.submitted is None or state.prepared is None:
        raise BindingFailed("the job has no plan or no prepared media")
    with span("composer.compose", job_id=state.job_id):
        made = compose(state.submitted, state.prepared, deps.workflows)
        puts = (deps.media.put_bytes(key, data) for key, data in made.files.items())
        await tasks.side_by_side(*puts)
    return made
