"""Fetches deliveries: one message of a durable at a time, parsed.

Owns what waits at the server for this process, and what becomes of a message that is no event of
ours. Must not handle or settle a delivery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import ValidationError

from contracts.events import parse_event
from contracts.subjects import Consumer
from runtime.delivery import Delivery, put_aside
from runtime.pulling import Pull

log = structlog.get_logger()

PAUSE_S = 0.5
"""After trouble, and while the server is away."""


class Fetching:
    """What one connection fetches. `client` gives the connection."""

    def __init__(self, client: Callable[[], Client]) -> None:
        """Nothing is asked for yet."""
        self._client = client
        self._pulls: dict[str, Pull] = {}

    async def fetch(self, consumer: Consumer, timeout_s: float) -> Delivery | None:
        """The next message of a durable; see Bus.fetch."""
        if not self._client().is_connected:
            await asyncio.sleep(min(timeout_s, PAUSE_S))
            return None
        try:
            message = await self.pull(consumer.stream, consumer.durable).next(timeout_s)
        except (NatsError, APIError) as trouble:
            log.warning("fetch failed", consumer=consumer.durable, reason=repr(trouble))
            await asyncio.sleep(min(timeout_s, PAUSE_S))
            return None
        if message is None:
            return None
        try:
            event = parse_event(message.data)
        except ValidationError as broken:
            await put_aside(message, consumer, str(broken)[:1000])
            return None
        return Delivery(message, event, consumer)

    def pull(self, stream: str, durable: str) -> Pull:
        """What waits for one durable's messages."""
        if durable not in self._pulls:
            self._pulls[durable] = Pull(self._client(), stream, durable)
        return self._pulls[durable]

    async def end(self, consumer: Consumer) -> None:
        """Nothing of this durable is fetched any more; see Bus.end_fetching."""
        await self.pull(consumer.stream, consumer.durable).close()

    async def ask_anew(self) -> None:
        """Whoever waits returns with nothing: the connection was made anew, or is gone for good."""
        for pull in self._pulls.values():
            pull.ask_anew()
