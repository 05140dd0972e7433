"""Follows a stream in order, from a sequence or from now on, across outages.

Owns re-subscription: every reader sees each sequence once, in order. Must not ack anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy
from pydantic import ValidationError

from contracts import subjects
from contracts.events import AnyEvent, Progress, parse_event

log = structlog.get_logger()

IDLE_HEARTBEAT_S = 1.0
"""With the default an ordered consumer needed 18.5 s to notice a 1 s outage (facts, Delivery)."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A message of a stream; `event` is None where `problem` says why it is no event."""

    event: AnyEvent | Progress | None
    sequence: int
    subject: str
    published_at: datetime
    headers: dict[str, str]
    payload: bytes
    problem: str | None = None


def _read(message: Msg, stream: str) -> Followed:
    event: AnyEvent | Progress | None = None
    problem = None
    try:
        if stream == subjects.PROGRESS_STREAM:
            event = Progress.model_validate_json(message.data)
        else:
            event = parse_event(message.data)
    except ValidationError as broken:
        problem = str(broken)[:2000]
    about = message.metadata
    return Followed(
        event=event,
        sequence=about.sequence.stream,
        subject=message.subject,
        published_at=about.timestamp,
        headers=dict(message.headers or {}),
        payload=message.data,
        problem=problem,
    )


async def follow(
    client: Client, stream: str, subject: str, start_sequence: int | None
) -> AsyncIterator[Followed]:
    """Every message of a stream under a subject, in order, until the connection is closed.

    `start_sequence` is the first one wanted; None means only those stored from now on. Messages of
    a stream kept in memory that are stored during an outage are skipped: its sequences start anew.
    Raises nats errors once the connection is closed for good.
    """
    js = client.jetstream(timeout=5)
    upcoming = start_sequence
    in_memory = stream == subjects.PROGRESS_STREAM
    while True:
        try:
            if upcoming is None:
                upcoming = (await js.stream_info(stream)).state.last_seq + 1
            async for followed in _until_trouble(client, js, stream, subject, upcoming):
                upcoming = followed.sequence + 1
                yield followed
        except (TimeoutError, NatsError) as trouble:
            if client.is_closed:
                # Nothing will come any more; and the client turns a cancel into this very error.
                raise
            log.warning("following interrupted", stream=stream, reason=repr(trouble))
        if in_memory:
            upcoming = None
        await asyncio.sleep(0.25)


async def _until_trouble(
    client: Client, js: JetStreamContext, stream: str, subject: str, start: int
) -> AsyncIterator[Followed]:
    reconnects = client.stats["reconnects"]
    subscription = await js.subscribe(
        subject,
        stream=stream,
        ordered_consumer=True,
        idle_heartbeat=IDLE_HEARTBEAT_S,
        config=ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=max(1, start)
        ),
    )
    try:
        while client.stats["reconnects"] == reconnects:
            try:
                message = await subscription.next_msg(timeout=1.0)
            except (TimeoutError, NatsTimeout):
                continue
            followed = _read(message, stream)
            if followed.sequence >= start:
                yield followed
    finally:
        if client.is_connected:
            await subscription.unsubscribe()
