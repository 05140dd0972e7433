"""Dead letters: messages the server gave up on or a service terminated, with the original event.

Reads the server's advisories, which outlive the process that caused them. Must not decide what
becomes of a job.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from pydantic import ValidationError

from contracts import subjects
from contracts.events import AnyEvent, is_of_another_version, parse_event
from runtime.pulling import WAIT_S, Pull
from runtime.tails import BusUnavailable, read_messages

log = structlog.get_logger()

_EVERYTHING = "$JS.EVENT.ADVISORY.CONSUMER.>"


@dataclass(frozen=True, slots=True)
class Advisory:
    """What the server says of a message that it will not deliver again.

    `advisory_id` is the server's own and stays unique when a stream is made anew; `sequence` is
    the place in DEADLETTERS, `stream` and `stream_sequence` that of the message.
    """

    advisory_id: str
    sequence: int
    at: datetime
    stream: str
    stream_sequence: int
    consumer: str
    deliveries: int
    reason: str


@dataclass(frozen=True, slots=True)
class Original:
    """The message that was given up; `event` is None where `problem` says why it is no event.

    `skewed` is true for an event of ours in a version that is unknown here.
    """

    subject: str
    payload: bytes
    event: AnyEvent | None
    problem: str | None
    skewed: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that will not be delivered again. Call `ack` once it is dealt with.

    `original` is None when the message is gone.
    """

    sequence: int
    stream: str
    stream_sequence: int
    consumer: str
    deliveries: int
    reason: str
    original: Original | None
    ack: Callable[[], Awaitable[None]]

    @property
    def event(self) -> AnyEvent | None:
        """The event that was given up, None when it is gone or unreadable."""
        return self.original.event if self.original else None


def parse_advisory(data: bytes, sequence: int) -> Advisory:
    """The advisory in a message of DEADLETTERS. Raises ValueError for anything else."""
    try:
        said = json.loads(data)
        return Advisory(
            advisory_id=str(said.get("id") or f"{said['timestamp']}/{sequence}"),
            sequence=sequence,
            at=datetime.fromisoformat(said["timestamp"]),
            stream=str(said["stream"]),
            stream_sequence=int(said["stream_seq"]),
            consumer=str(said["consumer"]),
            deliveries=int(said.get("deliveries", 0)),
            reason=said.get("reason") or str(said.get("type", "")).split(".")[-1],
        )
    except (KeyError, TypeError, AttributeError) as strange:
        raise ValueError(f"no advisory: {strange!r}") from strange


async def dead_letters(client: Client, pull: Pull) -> AsyncIterator[DeadLetter]:
    """Every dead letter that was not acked yet, one at a time, until the connection is closed."""
    js = client.jetstream(timeout=5)
    while True:
        try:
            while True:
                message = await pull.next(WAIT_S)
                if message is None:
                    continue
                sequence = message.metadata.sequence.stream
                try:
                    advisory = parse_advisory(message.data, sequence)
                except ValueError as strange:
                    log.warning("passed over in dead letters", sequence=sequence, why=str(strange))
                    await message.term()
                    continue
                original = await _original(js, advisory.stream, advisory.stream_sequence)
                yield DeadLetter(
                    sequence=sequence,
                    stream=advisory.stream,
                    stream_sequence=advisory.stream_sequence,
                    consumer=advisory.consumer,
                    deliveries=advisory.deliveries,
                    reason=advisory.reason,
                    original=original,
                    ack=message.ack,
                )
        except NatsError as trouble:
            if client.is_closed:
                raise
            log.warning("reading dead letters interrupted", reason=repr(trouble))
            await asyncio.sleep(1.0)


async def read_advisories(client: Client, first: int, last: int) -> list[Advisory]:
    """What stands in DEADLETTERS from one sequence to another, in order. Raises BusUnavailable.

    Messages that are no advisory are left out.
    """
    found: list[Advisory] = []
    if last < first:
        return found
    messages = await read_messages(
        client, subjects.DEADLETTERS_STREAM, _EVERYTHING, first, last - first + 1
    )
    for message in messages:
        sequence = int((message.headers or {})["Nats-Sequence"])
        if sequence > last:
            break
        try:
            found.append(parse_advisory(message.data, sequence))
        except ValueError as strange:
            log.warning("no dead letter", sequence=sequence, reason=str(strange))
    return found


async def read_original(js: JetStreamContext, stream: str, sequence: int) -> Original | None:
    """The message that was given up, None when it is gone. Raises BusUnavailable."""
    try:
        return await _original(js, stream, sequence)
    except (TimeoutError, NatsError) as silent:
        raise BusUnavailable(f"could not read {stream} {sequence}") from silent


async def _original(js: JetStreamContext, stream: str, sequence: int) -> Original | None:
    try:
        raw = await js.get_msg(stream, sequence)
    except NotFoundError:
        return None
    payload, subject = raw.data or b"", raw.subject or ""
    try:
        return Original(subject, payload, parse_event(payload), None)
    except ValidationError as broken:
        skewed = is_of_another_version(payload)
        return Original(subject, payload, None, str(broken)[:2000], skewed)
