"""One message in hand: parsed, kept alive while it is worked on, and settled once.

Owns acks. Must not decide the outcome: handlers do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from contracts.events import AnyEvent, is_of_another_version
from contracts.subjects import Consumer
from runtime.outcome import Ack, Outcome, Retry, Terminal
from runtime.stamp import now

SHUTDOWN_NAK_DELAY_S = 1.0
SKEW_DELIVERIES = 5
"""How often an event of an unknown version is offered, over 15 s, before it is a dead letter."""
log = structlog.get_logger()


class Delivery:
    """A fetched message. Settle it exactly once with ack, nak or terminate."""

    def __init__(self, message: Msg, event: AnyEvent, consumer: Consumer) -> None:
        """Wrap a message whose payload was parsed to `event`."""
        self._message = message
        self.event = event
        self.consumer = consumer

    @property
    def sequence(self) -> int:
        """The sequence of the message in its stream."""
        return int(self._message.metadata.sequence.stream)

    @property
    def delivered(self) -> int:
        """How often the server has delivered it, from 1."""
        return int(self._message.metadata.num_delivered)

    @property
    def headers(self) -> dict[str, str]:
        """The message headers, trace context among them."""
        return dict(self._message.headers or {})

    @property
    def age_s(self) -> float:
        """Seconds since the event occurred, by this machine's clock."""
        return max(0.0, (now() - self.event.occurred_at).total_seconds())

    async def ack(self) -> None:
        """Settle as done. Waits for the server, so that a lost ack is noticed."""
        await self._message.ack_sync()

    async def nak(self, delay_s: float) -> None:
        """Give it back; the server delivers it again after the delay."""
        await self._message.nak(delay=delay_s)

    async def give_back(self) -> None:
        """Give it back at once and untouched, for whoever fetches next.

        When that does not reach the server, it delivers the message again after the ack wait.
        """
        with suppress(NatsError, asyncio.TimeoutError):
            await self._message.nak()

    async def terminate(self) -> None:
        """Make a dead letter of it."""
        await self._message.term()

    async def in_progress(self) -> None:
        """Tell the server that the work goes on."""
        await self._message.in_progress()

    @asynccontextmanager
    async def keep_alive(self) -> AsyncIterator[None]:
        """Heartbeats every third of the ack wait while the block runs.

        A heartbeat that fails is not fatal: the connection comes back, or the message is
        delivered elsewhere and the idempotent effects settle it.
        """

        async def beat() -> None:
            while True:
                await asyncio.sleep(self.consumer.ack_wait_s / 3)
                with suppress(NatsError):
                    await self.in_progress()

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()

    async def settle(self, outcome: Outcome) -> None:
        """Turn an outcome into the server's terms."""
        match outcome:
            case Ack():
                await self.ack()
            case Retry(delay_s=delay_s):
                await self.nak(delay_s)
            case Terminal():
                await self.terminate()


async def put_aside(message: Msg, consumer: Consumer, reason: str) -> None:
    """Settle a message that cannot be read, so that it blocks nothing.

    One that was never an event becomes a dead letter at once; an event of another version is given
    back with growing delays first, because a replica of another release may read it.
    """
    delivered = int(message.metadata.num_delivered)
    again = is_of_another_version(message.data) and delivered < SKEW_DELIVERIES
    log.warning(
        "event of another version given back" if again else "unreadable message made a dead letter",
        consumer=consumer.durable,
        subject=message.subject,
        delivered=delivered,
        reason=reason,
    )
    if again:
        await message.nak(delay=float(2 ** (delivered - 1)))
    else:
        await message.term()
