"""Turns a dead letter of a live job into job_failed, and of an upload into asset_rejected.

So no job waits for ever and no upload stays `checking`. Runs under a lease in one gateway at a
time. Which dead letters matter is pure and tested apart. What operators do with the letters
afterwards is in `redelivery`.
"""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import Counter

from contracts.errors import ErrorCode, ErrorInfo, error_info
from contracts.events import (
    AnyEvent,
    AssetReady,
    AssetRejected,
    AssetUploaded,
    ExecutionFinished,
    JobEvent,
    JobFailed,
    JobSubmitted,
    MediaPrepared,
    RetryRequested,
    StepReady,
)
from contracts.lifecycle import JobState
from contracts.subjects import job_of
from runtime.bus import Bus
from runtime.dead_letters import DeadLetter
from runtime.leases import Lease
from runtime.stamp import stamp
from runtime.tails import AssetTail, BusUnavailable, JobTail
from runtime.tasks import end
from runtime.telemetry import job_context

log = structlog.get_logger()
DEAD_LETTERS = Counter("animatrix_dead_letters", "Dead letters by consumer", ["consumer"])


def stalls(state: JobState, event: AnyEvent) -> bool:
    """True when the job can only go on by the event that was given up.

    A dead letter of something that was done after all, or of an earlier attempt, changes nothing.
    """
    if state.state is None or state.ended:
        return False
    match event:
        case JobSubmitted():
            return state.state == "accepted"
        case MediaPrepared():
            return state.state == "uploaded"
        case RetryRequested() if event.start == "collection":
            return state.state == "collecting_outputs" and event.attempt == state.attempt
        case RetryRequested():
            ready = state.ready.attempt if state.ready else 0
            return event.attempt == state.attempt and ready < event.attempt
        case StepReady():
            return (
                state.state in ("queued", "executing")
                and event.attempt == state.attempt
                and event.step not in state.finished
            )
        case ExecutionFinished():
            return state.state == "collecting_outputs" and event.attempt == state.attempt
    return False


def failure(state: JobState, letter: DeadLetter) -> JobFailed | None:
    """The event that ends the job for a dead letter, or None when it does not matter."""
    event = letter.event
    if not isinstance(event, JobEvent) or not stalls(state, event):
        return None
    return JobFailed(
        **stamp(event),
        job_id=event.job_id,
        service="gateway",
        error=_error(letter, event.event),
        step=getattr(event, "step", None),
        attempt=state.attempt,
    )


def skewed_failure(tail: JobTail, letter: DeadLetter) -> JobFailed | None:
    """The end of a job whose last word nobody here can read, or None when it does not matter.

    Bytes that are no event at all never end a job: whoever put them there, the job did not wait
    for them.
    """
    state, original = tail.state, letter.original
    if original is None or not original.skewed or tail.last_sequence != letter.stream_sequence:
        return None
    if state.state is None or state.ended:
        return None
    return JobFailed(
        **stamp(None),
        job_id=state.job_id,
        service="gateway",
        error=_error(letter, f"an event of another version ({original.problem})"),
        attempt=state.attempt,
    )


def rejection(tail: AssetTail, letter: DeadLetter) -> AssetRejected | None:
    """The event that ends the checking of an upload that was given up."""
    event = letter.event
    decided = any(isinstance(e, (AssetReady, AssetRejected)) for e in tail.events)
    if not isinstance(event, AssetUploaded) or decided:
        return None
    return AssetRejected(**stamp(event), asset_id=event.asset_id, error=_error(letter, event.event))


def _error(letter: DeadLetter, what: str) -> ErrorInfo:
    return error_info(
        ErrorCode.INTERNAL,
        detail=f"{letter.consumer} gave up {what} at {letter.stream} "
        f"{letter.stream_sequence} after {letter.deliveries} deliveries: {letter.reason}",
    )


class DeadLetterWatch:
    """Reads dead letters while it holds the lease."""

    def __init__(self, bus: Bus, holder: str) -> None:
        """`holder` names this process in the lease."""
        self._bus = bus
        self._holder = holder

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until `stopping`."""
        while not stopping.is_set():
            lease = Lease(self._bus, "dead-letters", self._holder)
            watching = asyncio.create_task(self._watch(lease))
            stop = asyncio.create_task(stopping.wait())
            done, _ = await asyncio.wait({watching, stop}, return_when=asyncio.FIRST_COMPLETED)
            await end((watching, stop))
            await lease.release()
            if watching in done:
                watching.result()

    async def _watch(self, lease: Lease) -> None:
        await lease.acquire(wait=True)
        async for letter in self._bus.dead_letters():
            if lease.lost.is_set():
                return
            await self._settle(letter)

    async def _settle(self, letter: DeadLetter) -> None:
        DEAD_LETTERS.labels(letter.consumer).inc()
        event = letter.event
        log.error(
            "dead letter",
            consumer=letter.consumer,
            stream=letter.stream,
            sequence=letter.stream_sequence,
            reason=letter.reason,
            given_up=event.event if event else None,
        )
        try:
            await self._end_what_waits(letter)
        except BusUnavailable as silent:
            # Not acked: the server gives it again.
            log.warning("dead letter not settled", reason=str(silent))
            return
        await letter.ack()

    async def _end_what_waits(self, letter: DeadLetter) -> None:
        event = letter.event
        if isinstance(event, JobEvent):
            with job_context(job_id=event.job_id):
                await self._bus.decide(event.job_id, lambda state: failure(state, letter))
        elif isinstance(event, AssetUploaded):
            with job_context(asset_id=event.asset_id):
                rejected = rejection(await self._bus.asset(event.asset_id), letter)
                if rejected is not None:
                    await self._bus.publish(rejected)
        elif letter.original is not None and letter.original.skewed:
            await self._end_skewed(letter, letter.original.subject)

    async def _end_skewed(self, letter: DeadLetter, subject: str) -> None:
        job_id = job_of(subject)
        if job_id is None:
            return
        tail = await self._bus.job(job_id)
        failed = skewed_failure(tail, letter)
        if failed is not None:
            with job_context(job_id=job_id):
                # An event in between would have changed the state.
                await self._bus.decide(job_id, lambda s: failed if s == tail.state else None)
