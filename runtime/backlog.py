"""Tells Prometheus what waits on the bus and how full its streams are.

Every replica that runs it reports the same numbers: take the largest. Must not consume anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from prometheus_client import Gauge

from contracts.subjects import ASSETS_STREAM, DEADLETTERS_STREAM, JOBS_STREAM, Consumer
from runtime.bus import Bus
from runtime.tails import BusUnavailable

LOOK_EVERY_S = 15.0
PENDING = Gauge("animatrix_consumer_pending", "Messages that nobody has taken yet", ["consumer"])
IN_HAND = Gauge("animatrix_consumer_in_hand", "Messages taken and not yet settled", ["consumer"])
STREAM_MESSAGES = Gauge("animatrix_stream_messages", "Messages in a stream", ["stream"])
STREAM_BYTES = Gauge("animatrix_stream_bytes", "Bytes that a stream takes", ["stream"])
_STREAMS = (JOBS_STREAM, ASSETS_STREAM, DEADLETTERS_STREAM)
log = structlog.get_logger()


async def watch_backlog(bus: Bus, consumers: Sequence[Consumer], stopping: asyncio.Event) -> None:
    """Look every fifteen seconds until the process stops; a silent bus is looked at again later."""
    while not stopping.is_set():
        try:
            await _look(bus, consumers)
        except BusUnavailable as silent:
            log.warning("the backlog is not known", reason=str(silent))
        try:
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY_S)
        except TimeoutError:
            continue


async def _look(bus: Bus, consumers: Sequence[Consumer]) -> None:
    for consumer in consumers:
        lag = await bus.consumer_lag(consumer)
        PENDING.labels(consumer.durable).set(lag.pending)
        IN_HAND.labels(consumer.durable).set(lag.ack_pending)
    for stream in _STREAMS:
        state = await bus.stream_state(stream)
        STREAM_MESSAGES.labels(stream).set(state.messages)
        STREAM_BYTES.labels(stream).set(state.size_bytes)
