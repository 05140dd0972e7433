"""What ends, removes or revives a job from outside: cancel, delete, retry.

Every fact is written under the job's lock, so that a job ends once. Must not interrupt an engine:
the executor that holds it does.
"""

from __future__ import annotations

from contracts.errors import ErrorCode
from contracts.events import (
    CancelRequested,
    JobCancelled,
    JobDeleted,
    RestartAt,
    RetryRequested,
)
from contracts.lifecycle import JobState, PublicState, refusal
from runtime.ids import is_id
from runtime.stamp import stamp
from services.gateway.access.caller import Caller
from services.gateway.deps import Deps
from services.gateway.lookups import no_such_job
from services.gateway.problems import refused


def assigned_now(state: JobState) -> bool:
    """True when a step of the present attempt was handed to an engine."""
    return state.assigned is not None and state.assigned.attempt >= state.attempt


def cancellation(state: JobState, by: str) -> JobCancelled | CancelRequested | None:
    """What cancels a job in this state for an owner; None when it ended or is being cancelled."""
    if state.state is None or state.ended or state.cancel is not None:
        return None
    cause = stamp(state.submitted)
    if assigned_now(state):
        return CancelRequested(**cause, job_id=state.job_id, requested_by=by)
    return JobCancelled(**cause, job_id=state.job_id, service="gateway")


async def cancel_job(deps: Deps, caller: Caller, job_id: str) -> tuple[PublicState, bool]:
    """Cancel; returns the state and whether the job had ended before. Raises BusUnavailable."""
    seen: list[JobState] = []

    def decide(state: JobState) -> JobCancelled | CancelRequested | None:
        seen.append(state)
        return cancellation(state, caller.owner)

    event = await deps.bus.decide(job_id, decide)
    before = seen[-1]
    await _shown(deps, job_id)
    if before.state is None:
        raise no_such_job()
    if isinstance(event, JobCancelled):
        return "cancelled", False
    return before.state, before.ended


async def delete_job(deps: Deps, caller: Caller, job_id: str) -> None:
    """Record the removal, then remove the files; repeating it finishes what a crash left.

    Raises Refused NOT_FOUND, JOB_NOT_FINISHED; BusUnavailable.
    """
    if not is_id(job_id):
        raise no_such_job()

    def decide(state: JobState) -> JobDeleted | None:
        if state.submitted is None or not caller.sees(state.submitted.owner):
            raise no_such_job()
        if state.deleted:
            return None
        if not state.ended:
            raise refused(ErrorCode.JOB_NOT_FINISHED)
        return JobDeleted(**stamp(None), job_id=job_id, requested_by=caller.owner)

    await deps.bus.decide(job_id, decide)
    await _shown(deps, job_id)
    async for key in deps.media.keys(f"jobs/{job_id}"):
        await deps.media.delete(key)


def retry_of(state: JobState, caller: Caller, start: RestartAt | None) -> RetryRequested:
    """The event that runs a failed job again.

    Raises Refused NOT_FOUND, JOB_NOT_RETRYABLE (not failed, or it never came as far as `start`).
    """
    if state.submitted is None or state.deleted or not caller.sees(state.submitted.owner):
        raise no_such_job()
    if state.state != "failed":
        raise refused(ErrorCode.JOB_NOT_RETRYABLE)
    event = RetryRequested(
        **stamp(state.failed),
        job_id=state.job_id,
        requested_by=caller.owner,
        attempt=state.attempt + 1,
        start=start,
    )
    if refusal(state, event) is not None:
        raise refused(
            ErrorCode.JOB_NOT_RETRYABLE,
            sentence=f"The job failed before it could be taken up at its {start}.",
            remedy="Start further up, or leave the place out.",
            field="start",
        )
    return event


async def retry_job(
    deps: Deps, caller: Caller, job_id: str, start: RestartAt | None = None
) -> PublicState:
    """Run a failed job again, from `start` or from the step that failed; returns its state.

    Raises Refused NOT_FOUND, JOB_NOT_RETRYABLE; BusUnavailable.
    """
    if not is_id(job_id):
        raise no_such_job()

    def decide(state: JobState) -> RetryRequested:
        return retry_of(state, caller, start)

    await deps.bus.decide(job_id, decide)
    return (await _shown(deps, job_id)).state or "accepted"


async def _shown(deps: Deps, job_id: str) -> JobState:
    """The job's state, once a GET shows it too: who changed something sees the change."""
    tail = await deps.bus.job(job_id)
    await deps.fanout.caught_up(tail.last_sequence)
    return tail.state
