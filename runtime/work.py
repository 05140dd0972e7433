"""The work loop: fetch, handle, settle; some slots side by side.

Owns what happens between a message and its outcome. Must not know any handler.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from nats.errors import Error as NatsError
from opentelemetry.trace import SpanKind

from contracts import subjects
from contracts.events import Event, event_name
from contracts.subjects import Consumer
from runtime import telemetry
from runtime.bus import Bus
from runtime.delivery import SHUTDOWN_NAK_DELAY_S, Delivery
from runtime.outcome import Outcome, Terminal, retry_after_failure
from runtime.pulling import WAIT_S

log = structlog.get_logger()

Handler = Callable[[Any], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A durable consumer, the handler of each event it brings, and how many run side by side."""

    consumer: Consumer
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    slots: int = 1

    def __post_init__(self) -> None:
        """Refuse a subscription that could not handle anything."""
        if self.slots < 1 or not self.handlers:
            raise ValueError(f"subscription {self.consumer.durable} needs a slot and a handler")


async def work(bus: Bus, subscription: Subscription, stopping: asyncio.Event) -> None:
    """Run every slot of a subscription until `stopping`; work in hand then gets its time."""
    async with asyncio.TaskGroup() as group:
        for _ in range(subscription.slots):
            group.create_task(_slot(bus, subscription, stopping))
        await stopping.wait()
        await bus.end_fetching(subscription.consumer)


async def _slot(bus: Bus, subscription: Subscription, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        delivery = await bus.fetch(subscription.consumer, WAIT_S)
        if delivery is None:
            continue
        if stopping.is_set():
            await delivery.nak(SHUTDOWN_NAK_DELAY_S)
            return
        await handle(delivery, subscription.handlers)


async def handle(delivery: Delivery, handlers: Mapping[type[Event], Handler]) -> None:
    """Handle one delivery inside its trace and settle it. Cancelled work is given back."""
    event = delivery.event
    name = event_name(event)
    family = subjects.family_of(subjects.subject_of(event))
    telemetry.EVENT_AGE_SECONDS.labels(name).observe(delivery.age_s)
    with (
        telemetry.continued(delivery.headers),
        telemetry.job_context(**telemetry.ids_of(event)),
        telemetry.span(
            f"process {family}",
            kind=SpanKind.CONSUMER,
            event=name,
            delivered=delivery.delivered,
        ),
    ):
        started = time.monotonic()
        try:
            async with delivery.keep_alive():
                outcome = await _outcome(delivery, handlers)
        except asyncio.CancelledError:
            with suppress(NatsError):
                await delivery.nak(SHUTDOWN_NAK_DELAY_S)
            raise
        telemetry.HANDLE_SECONDS.labels(name).observe(time.monotonic() - started)
        telemetry.EVENTS_HANDLED.labels(name, type(outcome).__name__.lower()).inc()
        try:
            await delivery.settle(outcome)
        except (TimeoutError, NatsError) as trouble:
            # The server delivers it again; every effect has a unique key, so nothing doubles.
            log.warning("could not settle a message", event_name=name, reason=repr(trouble))


async def _outcome(delivery: Delivery, handlers: Mapping[type[Event], Handler]) -> Outcome:
    handler = handlers.get(type(delivery.event))
    if handler is None:
        return Terminal(f"no handler for {event_name(delivery.event)}")
    try:
        outcome = await handler(delivery.event)
    except Exception as failure:
        outcome = retry_after_failure(delivery.delivered, repr(failure))
        log.exception(
            "handler failed",
            event_name=event_name(delivery.event),
            delivered=delivery.delivered,
            retry_in_s=outcome.delay_s,
        )
        return outcome
    if isinstance(outcome, Terminal):
        log.error(
            "message terminated", event_name=event_name(delivery.event), reason=outcome.reason
        )
    return outcome
