"""Server-sent events: one job's, and those of all jobs on one connection.

Register first, then replay from the bus, then drop what was replayed: nothing is lost or doubled.
Durable events carry their place in the stream as `id:`; progress carries none. A stream ends at the
heartbeat after its credential was revoked or ran out.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from sse_starlette import ServerSentEvent
from starlette.datastructures import Headers

from contracts.errors import ErrorCode
from contracts.events import JobEvent, Progress
from contracts.subjects import JOBS_STREAM
from runtime.tails import JobTail
from services.gateway.access.caller import Caller
from services.gateway.deps import Deps, Needs, Who
from services.gateway.event_stream import EventStream
from services.gateway.lookups import find_job
from services.gateway.problems import responses
from services.gateway.projection import FoldedJob, fold_job, fold_jobs, new_job
from services.gateway.subscriptions import Subscription
from services.gateway.told import Told, told
from services.gateway.views import live_progress

log = structlog.get_logger()
router = APIRouter(prefix="/api", tags=["streams"])

_HEARTBEAT = ServerSentEvent(comment="still here").encode()
REPLAY_AT_MOST = 1000
"""A client that missed more is told to read the list again."""

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID")]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events: accepted, uploaded, queued, executing, progress, "
        "collecting_outputs, completed, failed, cancelled.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}


def durable(item: Told) -> ServerSentEvent:
    """A durable event on the wire."""
    data: dict[str, Any] = {
        "job_id": item.job_id,
        "status": item.status,
        "mode": item.mode,
        "at": item.at.isoformat(),
    }
    if item.error is not None:
        data["error"] = item.error
    if item.name == "completed":
        data["outputs_url"] = f"/api/jobs/{item.job_id}/outputs"
    return ServerSentEvent(data=json.dumps(data), event=item.name, id=str(item.sequence))


def fleeting(progress: Progress) -> ServerSentEvent:
    """The latest progress on the wire; without an id, so it never moves Last-Event-ID."""
    view = live_progress(progress).model_dump()
    data = {"job_id": progress.job_id, "at": progress.at.isoformat(), "progress": view}
    return ServerSentEvent(data=json.dumps(data), event="progress")


class _Wire:
    """Messages of live events as bytes, made once however many streams send them."""

    def __init__(self, at_most: int = 64) -> None:
        self._made: OrderedDict[int, tuple[Told | Progress, bytes]] = OrderedDict()
        self._at_most = at_most

    def of(self, item: Told | Progress) -> bytes:
        """The message of an event; the same object is encoded once."""
        known = self._made.get(id(item))
        if known is not None and known[0] is item:
            return known[1]
        message = fleeting(item) if isinstance(item, Progress) else durable(item)
        self._made[id(item)] = (item, message.encode())
        if len(self._made) > self._at_most:
            self._made.popitem(last=False)
        return self._made[id(item)][1]

    def all_of(self, items: Sequence[Told | Progress]) -> bytes:
        """The messages of events in a row."""
        return b"".join(map(self.of, items))


_WIRE = _Wire()


def _after(items: Iterable[Told | Progress], seen: int) -> list[Told | Progress]:
    """Without the durable events up to a place in the stream, which were told before."""
    return [item for item in items if isinstance(item, Progress) or item.sequence > seen]


def sequence_of(last_event_id: str | None) -> int | None:
    """The sequence that a client has seen, None when it says nothing we could have sent."""
    text = (last_event_id or "").strip()
    return int(text) if text.isdecimal() and len(text) < 19 else None


def replay(tail: JobTail) -> list[Told]:
    """Everything a user is told of a job so far."""
    items, job = [], new_job(tail.state.job_id)
    for sequence, event in zip(tail.sequences, tail.events, strict=True):
        job, ignored = fold_job(job, event, sequence)
        item = None if ignored else told(event, sequence, job.state)
        if item is not None:
            items.append(item)
    return items


class Listener(NamedTuple):
    """Who hears a stream, and what he showed to be let in."""

    caller: Caller
    headers: Headers


@asynccontextmanager
async def _subscribed(
    deps: Deps, listener: Listener, job_id: str | None, owner: str | None
) -> AsyncIterator[Subscription]:
    """A subscription that is cut off when the listener would not be let in any more."""

    async def watch() -> None:
        good = True
        while good:
            await asyncio.sleep(deps.settings.heartbeat_s)
            good = await deps.credentials.still(listener.caller, listener.headers)
        log.info("stream ended: its credential opens nothing any more")
        deps.fanout.end(subscription)

    silence_s = deps.settings.heartbeat_s
    with (
        deps.fanout.subscribed(job_id, owner) as subscription,
        subscription.broken_silence(silence_s),
    ):
        watching = asyncio.create_task(watch())
        try:
            yield subscription
        finally:
            watching.cancel()


async def _job_stream(
    deps: Deps, listener: Listener, job_id: str, seen: int
) -> AsyncGenerator[bytes, None]:
    async with _subscribed(deps, listener, job_id, None) as subscription:
        tail = await deps.bus.job(job_id)
        for item in replay(tail):
            if item.sequence > seen:
                yield durable(item).encode()
        if tail.state.ended:
            return
        latest = deps.fanout.progress_of(job_id) or await deps.bus.latest_progress(job_id)
        if latest is not None:
            yield fleeting(latest).encode()
        after = max(seen, tail.last_sequence)
        while (items := await subscription.news()) is not None:
            news = _after(items, after)
            yield _WIRE.all_of(news) or _HEARTBEAT
            if any(isinstance(item, Told) and item.terminal for item in news):
                await asyncio.sleep(0)  # everybody is told before anybody's stream is taken down
                return


@router.get(
    "/jobs/{job_id}/stream",
    response_class=Response,
    responses={
        **responses(ErrorCode.NOT_FOUND, ErrorCode.UNAVAILABLE),
        **_STREAM,
        204: {"description": "The job has ended and everything was seen: do not reconnect."},
    },
)
async def job_stream(
    request: Request, deps: Needs, caller: Who, job_id: str, last_event_id: LastEventId = None
) -> Response:
    """A job's events from its beginning (or after Last-Event-ID) to its end."""
    await find_job(deps, caller, job_id)
    seen = sequence_of(last_event_id) or 0
    if seen:
        tail = await deps.bus.job(job_id)
        if tail.state.ended and not any(item.sequence > seen for item in replay(tail)):
            return Response(status_code=204)
    return EventStream(_job_stream(deps, Listener(caller, request.headers), job_id, seen))


async def _missed(deps: Deps, caller: Caller, seen: int, upto: int) -> AsyncIterator[Told]:
    """What a caller is told between two sequences of the stream of all jobs."""
    jobs: dict[str, FoldedJob] = {}
    if seen >= upto:
        return
    async for message in deps.bus.follow(JOBS_STREAM, start_sequence=seen + 1):
        event = message.event
        if isinstance(event, JobEvent):
            job = jobs.get(event.job_id)
            if job is None:
                tail = await deps.bus.job(event.job_id)
                pairs = zip(tail.sequences, tail.events, strict=True)
                job = fold_jobs(event.job_id, [p for p in pairs if p[0] < message.sequence])
            jobs[event.job_id], ignored = fold_job(job, event, message.sequence)
            state = jobs[event.job_id].state
            item = None if ignored else told(event, message.sequence, state)
            if item is not None and caller.sees(item.owner):
                yield item
        if message.sequence >= upto:
            return


async def _all_stream(
    deps: Deps, listener: Listener, seen: int | None
) -> AsyncGenerator[bytes, None]:
    fanout, caller = deps.fanout, listener.caller
    async with _subscribed(deps, listener, None, caller.sees_only) as subscription:
        await _level_with(deps, seen)
        upto = fanout.last_sequence
        if seen is not None and 0 <= upto - seen <= REPLAY_AT_MOST:
            async for item in _missed(deps, caller, seen, upto):
                yield durable(item).encode()
        elif seen is not None:
            yield ServerSentEvent(data="{}", event="reload", id=str(upto)).encode()
        else:
            yield ServerSentEvent(data="{}", event="ready", id=str(upto)).encode()
        for progress in fanout.progress_of_all(caller.sees_only):
            yield fleeting(progress).encode()
        while (items := await subscription.news()) is not None:
            yield _WIRE.all_of(_after(items, upto)) or _HEARTBEAT


async def _level_with(deps: Deps, seen: int | None) -> None:
    """Wait until the live picture is no older than what a client saw on another gateway, or here
    before a restart; not for a place that the stream has not."""
    await deps.fanout.begun()
    if seen is None or seen <= deps.fanout.last_sequence:
        return
    if seen <= (await deps.bus.stream_state(JOBS_STREAM)).last_sequence:
        await deps.fanout.caught_up(seen)


@router.get(
    "/stream", response_class=Response, responses={**responses(ErrorCode.UNAVAILABLE), **_STREAM}
)
async def all_stream(
    request: Request,
    deps: Needs,
    caller: Who,
    last_event_id: LastEventId = None,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """The events of all the caller's jobs from now on, or after Last-Event-ID.

    `ready` comes first and gives the id to resume from; `reload` says that too much was missed:
    read the list again. Deleted jobs are told as `deleted`.
    """
    seen = sequence_of(last_event_id)
    listener = Listener(caller, request.headers)
    return EventStream(_all_stream(deps, listener, after if seen is None else seen))
