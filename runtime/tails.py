"""Reads everything a stream holds about one job or asset, in order, by direct get.

Owns the batched direct-get request, which no client library offers yet. A copy of a stream may
answer it that does not have yet what was acknowledged a moment ago; so of a stream with copies its
leader is asked first how far to read. Must not write.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout
from pydantic import ValidationError

from contracts.events import AnyAssetEvent, AnyEvent, AnyJobEvent, AssetEvent, JobEvent, parse_event
from contracts.lifecycle import JobState, fold

log = structlog.get_logger()

READ_TIMEOUT_S = 5.0
BEHIND_S = 0.02
"""How long a copy that is behind is given before it, or another one, is asked again."""
_BATCH = 256
_NOT_FOUND = 404


class BusUnavailable(RuntimeError):
    """The bus did not answer in time; try again."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the stream. `headers` carry the trace context."""

    event: AnyEvent
    sequence: int
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class JobTail:
    """All events of a job in stream order, the state they make, and the last sequence."""

    state: JobState
    events: tuple[AnyJobEvent, ...]
    sequences: tuple[int, ...]
    last_sequence: int


@dataclass(frozen=True, slots=True)
class AssetTail:
    """All events of an asset in stream order."""

    events: tuple[AnyAssetEvent, ...]
    last_sequence: int


async def read_subtree(
    client: Client, stream: str, subject: str, *, copies: bool = False
) -> tuple[list[StoredEvent], int]:
    """Every readable event under a subject, and the last sequence there (0 when empty).

    Nothing is missing that was acknowledged before the call; `copies` says that the stream has
    more than one. Payloads that are no event of ours are left out and logged: a poison message must
    not hide a job. Raises BusUnavailable.
    """
    if not copies:
        return await _read_subtree(client, stream, subject)
    upto = await _last_at_leader(client, stream, subject)
    give_up_at = asyncio.get_running_loop().time() + READ_TIMEOUT_S
    while True:
        found, last = await _read_subtree(client, stream, subject)
        if last >= upto:
            return found, last
        if asyncio.get_running_loop().time() > give_up_at:
            raise BusUnavailable(f"a copy of {stream} stays behind")
        await asyncio.sleep(BEHIND_S)


async def _last_at_leader(client: Client, stream: str, subject: str) -> int:
    """The last sequence under a subject as the stream's leader has it, 0 for none."""
    request = json.dumps({"last_by_subj": subject}).encode()
    try:
        answer = await client.request(
            f"$JS.API.STREAM.MSG.GET.{stream}", request, timeout=READ_TIMEOUT_S
        )
    except (TimeoutError, NatsTimeout, NoRespondersError) as silent:
        raise BusUnavailable(f"no answer from the leader of {stream}") from silent
    told = json.loads(answer.data)
    if "error" not in told:
        return int(told["message"]["seq"])
    if told["error"].get("code") == _NOT_FOUND:
        return 0
    raise BusUnavailable(f"the leader of {stream} answered {told['error']}")


async def _read_subtree(client: Client, stream: str, subject: str) -> tuple[list[StoredEvent], int]:
    found: list[StoredEvent] = []
    last, start = 0, 1
    while True:
        messages, more = await _batch(client, stream, subject, start)
        for message in messages:
            headers = dict(message.headers or {})
            last = int(headers["Nats-Sequence"])
            try:
                event = parse_event(message.data)
            except ValidationError as broken:
                log.warning(
                    "unreadable event in stream",
                    stream=stream,
                    sequence=last,
                    reason=str(broken)[:500],
                )
                continue
            found.append(StoredEvent(event, last, headers))
        if not more:
            return found, last
        start = last + 1


async def read_messages(
    client: Client, stream: str, subject: str, first: int, at_most: int
) -> list[Msg]:
    """Up to so many messages under a subject from a sequence on; the header `Nats-Sequence` holds
    the place of each. Raises BusUnavailable."""
    messages, _ = await _batch(client, stream, subject, first, at_most)
    return messages


async def _batch(
    client: Client, stream: str, subject: str, start: int, at_most: int = _BATCH
) -> tuple[list[Msg], bool]:
    messages: list[Msg] = []
    ended: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def take(message: Msg) -> None:
        # The client's own wait for a message makes two tasks for each.
        headers = message.headers or {}
        if "Status" not in headers:
            messages.append(message)
        elif not ended.done():
            ended.set_result(headers)

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=take)
    try:
        request = {"batch": at_most, "seq": start, "next_by_subj": subject}
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), inbox)
        async with asyncio.timeout(READ_TIMEOUT_S):
            end = await ended
        if end["Status"] == "404":
            return messages, False
        if end["Status"] == "204":
            return messages, int(end.get("Nats-Num-Pending", "0")) > 0
        raise BusUnavailable(f"direct get answered {end['Status']}")
    except (TimeoutError, NatsTimeout, NoRespondersError) as silent:
        raise BusUnavailable(f"no answer from stream {stream}") from silent
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()


async def read_job(
    client: Client, stream: str, subject: str, job_id: str, *, copies: bool = False
) -> JobTail:
    """The tail of one job. Raises BusUnavailable."""
    found, last = await read_subtree(client, stream, subject, copies=copies)
    pairs = [(s.event, s.sequence) for s in found if isinstance(s.event, JobEvent)]
    events = tuple(event for event, _ in pairs)
    return JobTail(fold(job_id, events), events, tuple(n for _, n in pairs), last)


async def read_asset(
    client: Client, stream: str, subject: str, *, copies: bool = False
) -> AssetTail:
    """The tail of one asset. Raises BusUnavailable."""
    found, last = await read_subtree(client, stream, subject, copies=copies)
    return AssetTail(tuple(s.event for s in found if isinstance(s.event, AssetEvent)), last)


def published_at(message: Msg) -> datetime:
    """When the server stored a delivered message."""
    return message.metadata.timestamp
