"""What the collector does about an event. Decides how a job ends; the work is in collection."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from contracts.errors import error_info
from contracts.events import (
    AnyJobEvent,
    ExecutionFinished,
    JobCancelled,
    JobCompleted,
    JobFailed,
    RetryRequested,
)
from contracts.lifecycle import JobState
from runtime.bus import Bus
from runtime.media_store import MediaStore
from runtime.outcome import Ack, Outcome, Retry
from runtime.stamp import stamp
from runtime.telemetry import span
from services.collector.adapters.signing import SigningFailed
from services.collector.collection import Making, collect
from services.collector.faults import ResultFault
from services.collector.leftovers import drop_frames
from services.collector.settings import Settings
from services.collector.storing import Collected, stored_files, withdraw
from services.collector.telling import telling

log = structlog.get_logger()

STORAGE_RETRY_S = 15.0
SIGNING_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Deps:
    """What the handler works with. `made_by` names this program and its version."""

    bus: Bus
    media: MediaStore
    settings: Settings
    made_by: str


async def on_execution_finished(event: ExecutionFinished, deps: Deps) -> Outcome:
    """Turn the steps' outputs into the delivered files and end the job, once.

    A result that is absent or not as ordered ends the job as failed; storage that is away or
    full is tried again later. Delivered again after the end, it changes nothing.
    """
    return await _conclude(event, event, deps)


async def on_retry_requested(event: RetryRequested, deps: Deps) -> Outcome:
    """Collect the results of a failed job once more, where a retry asks for just that."""
    execution = (await deps.bus.job(event.job_id)).state.execution
    if event.start != "collection" or execution is None:
        return Ack()
    # The job ends in the attempt that the retry opened, caused by it; the results stay as told.
    again = {"attempt": event.attempt, "event_id": event.event_id}
    return await _conclude(execution, execution.model_copy(update=again), deps)


async def _conclude(told: ExecutionFinished, event: ExecutionFinished, deps: Deps) -> Outcome:
    """Collect what `told` tells of, and end the job as `event` asks."""
    tail = await deps.bus.job(event.job_id)
    if tail.state.completed is not None and not tail.state.deleted:
        # Ended here or by another collector, that may have died before it had cleared up.
        return await _clear_up(event, deps)
    if _is_settled(tail.state, event):
        return Ack()
    if tail.state.cancel is not None:
        await deps.bus.decide(event.job_id, partial(_cancelled, event=event))
        return Ack()
    try:
        collected = await _collect(told, tail.state, deps)
    except ResultFault as fault:
        log.warning("results refused", code=fault.code, reason=fault.detail, step=fault.step)
        await deps.bus.decide(event.job_id, partial(_failed, event=event, fault=fault))
        return Ack()
    except SigningFailed as failed:
        return Retry(SIGNING_RETRY_S, f"content credentials cannot be signed: {failed}")
    except OSError as trouble:
        return Retry(STORAGE_RETRY_S, f"storage is away or full: {trouble!r}")
    ended = await deps.bus.decide(event.job_id, partial(_ended, event=event, collected=collected))
    if isinstance(ended, JobCompleted):
        return await _clear_up(event, deps)
    await _withdraw_unless_delivered(collected, deps)
    return Ack()


async def _collect(event: ExecutionFinished, state: JobState, deps: Deps) -> Collected:
    settings = deps.settings
    steps = state.composed.steps if state.composed else 0
    with (
        span("collector.collect", job_id=event.job_id),
        tempfile.TemporaryDirectory(prefix="collect-", dir=settings.work_dir) as folder,
    ):
        async with telling(deps.bus, event.job_id, steps) as tell:
            making = Making(
                settings.ffmpeg_deadline_s,
                deps.made_by,
                settings.signer,
                settings.credentials_tell_prompt,
                tell,
            )
            return await collect(event, deps.media, Path(folder), making)


async def _clear_up(event: ExecutionFinished, deps: Deps) -> Outcome:
    try:
        dropped = await drop_frames(event, deps.media)
    except ResultFault as fault:
        log.warning("frames were not dropped", reason=fault.detail)
    except OSError as trouble:
        return Retry(STORAGE_RETRY_S, f"storage is away: {trouble!r}")
    else:
        if dropped:
            log.info("frames dropped", frames=dropped)
    return Ack()


def _is_settled(state: JobState, event: ExecutionFinished) -> bool:
    # A retry opens the job again for a later attempt; the results of the earlier one are stale.
    return state.deleted or state.ended or state.attempt != event.attempt


def _cancelled(state: JobState, event: ExecutionFinished) -> AnyJobEvent | None:
    if _is_settled(state, event):
        return None
    return JobCancelled(**stamp(event), job_id=event.job_id, service="collector")


def _failed(state: JobState, event: ExecutionFinished, fault: ResultFault) -> AnyJobEvent | None:
    if _is_settled(state, event):
        return None
    if state.cancel is not None:
        return _cancelled(state, event)
    return JobFailed(
        **stamp(event),
        job_id=event.job_id,
        service="collector",
        error=error_info(fault.code, detail=fault.detail),
        step=fault.step,
        attempt=event.attempt,
    )


def _ended(state: JobState, event: ExecutionFinished, collected: Collected) -> AnyJobEvent | None:
    if _is_settled(state, event):
        return None
    if state.cancel is not None:
        return _cancelled(state, event)
    return JobCompleted(
        **stamp(event),
        job_id=event.job_id,
        attempt=event.attempt,
        simulated=collected.simulated,
        outputs=collected.outputs,
    )


async def _withdraw_unless_delivered(collected: Collected, deps: Deps) -> None:
    # Another collector may have completed the job meanwhile: then the same files are its outputs,
    # but for those that were signed.
    state = (await deps.bus.job(collected.job_id)).state
    if state.cancelled is not None or state.deleted:
        await withdraw(collected.job_id, deps.media)
    elif state.completed is not None:
        delivered = {file.key for file in stored_files(state.completed.outputs)}
        for file in stored_files(collected.outputs):
            if file.key not in delivered:
                await deps.media.delete(file.key)
