"""Follows a stream in order, from a sequence or from now on, across outages.

Owns the ordered consumer (docs/decisions/0029): every reader sees each sequence once, in order, and
none stands still unnoticed. Must not ack anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pydantic import ValidationError

from contracts import subjects
from contracts.events import AnyEvent, Progress, parse_event, parse_progress

log = structlog.get_logger()

IDLE_HEARTBEAT_S = 4.0
LOOK_EVERY_S = 2.0
SILENT_S = 8.0
"""Without a sign of life for so long, the consumer is taken for gone."""
_DELIVERED = "$JS.ACK."
"""How the reply subject of a stream's message begins; that of flow control is another."""


class _Interrupted(Exception):
    """Messages are missing, or the consumer is gone: go on with a new one."""


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


_parsed = lru_cache(maxsize=256)(parse_event)
"""A process follows a stream more than once, and events never change."""


def _read(message: Msg, stream: str) -> Followed:
    event: AnyEvent | Progress | None = None
    problem = None
    try:
        if stream == subjects.PROGRESS_STREAM:
            event = parse_progress(message.data)
        else:
            event = _parsed(message.data)
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
        except (TimeoutError, NatsError, _Interrupted) as trouble:
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
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    silent_s = 0.0

    async def take(message: Msg) -> None:
        arrived.put_nowait(message)

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=take)
    try:
        await js.add_consumer(stream, _consumer(inbox, subject, start))
        delivered = 0
        while client.stats["reconnects"] == reconnects:
            message = await _within(arrived, LOOK_EVERY_S)
            if message is None:
                silent_s += LOOK_EVERY_S
                if client.is_closed:
                    raise ConnectionClosedError
                if silent_s >= SILENT_S and client.is_connected:
                    raise _Interrupted(f"neither message nor heartbeat for {silent_s:g} s")
                continue
            silent_s = 0.0
            if not message.reply.startswith(_DELIVERED):
                await _answer(client, message, delivered)
                continue
            delivered += 1
            if message.metadata.sequence.consumer != delivered:
                raise _Interrupted(f"message {delivered} did not arrive")
            yield _read(message, stream)
    finally:
        if client.is_connected:
            await subscription.unsubscribe()


def _consumer(inbox: str, subject: str, start: int) -> ConsumerConfig:
    """Ordered: never acknowledged, each message sent once, in turn, held up when we are slow."""
    return ConsumerConfig(
        deliver_subject=inbox,
        filter_subject=subject or None,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=max(1, start),
        ack_policy=AckPolicy.NONE,
        max_deliver=1,
        flow_control=True,
        idle_heartbeat=IDLE_HEARTBEAT_S,
        mem_storage=True,
        num_replicas=1,
    )


async def _within(arrived: asyncio.Queue[Msg], seconds: float) -> Msg | None:
    if not arrived.empty():
        return arrived.get_nowait()
    try:
        async with asyncio.timeout(seconds):
            return await arrived.get()
    except TimeoutError:
        return None


async def _answer(client: Client, control: Msg, delivered: int) -> None:
    """Tell the server that we have come as far as its flow control message, and hold a heartbeat
    against what was delivered. Raises _Interrupted when something is missing."""
    headers = control.headers or {}
    go_on = control.reply or headers.get("Nats-Consumer-Stalled")
    if go_on:
        await client.publish(go_on)
    last = headers.get("Nats-Last-Consumer")
    if last is not None and int(last) > delivered:
        raise _Interrupted(f"messages {delivered + 1} to {last} did not arrive")
