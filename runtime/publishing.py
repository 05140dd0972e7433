"""Publishing an event: its message id, its trace headers, retries until the server has it.

Owns every write to a stream of events. Must not know what a job's state allows: runtime.deciding
does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError, NoStreamResponseError
from opentelemetry.trace import SpanKind
from prometheus_client import Counter

from contracts import subjects
from contracts.events import Event, encode_event, event_name
from contracts.subjects import Service, subject_of
from runtime import telemetry
from runtime.tails import BusUnavailable

PUBLISH_TIMEOUT_S = 5.0
PUBLISH_BUDGET_S = 30.0
PUBLISHED = Counter("animatrix_events_published", "Events stored by this service", ["event"])


class NotDeclared(RuntimeError):
    """A service tried to publish an event that contracts.subjects.PUBLISHES does not grant it."""


class Publisher:
    """What one service publishes."""

    def __init__(self, service: Service, jetstream: Callable[[], JetStreamContext]) -> None:
        """`jetstream` gives the connection's context once there is one."""
        self._service = service
        self._jetstream = jetstream
        self._may = subjects.PUBLISHES[service]

    async def publish(self, event: Event, headers: Mapping[str, str] | None = None) -> PubAck:
        """Store an event under its message id. Raises NotDeclared, BusUnavailable, ValueError
        above 64 KB, APIError where the server refuses it."""
        name = event_name(event)
        if name not in self._may:
            raise NotDeclared(f"{self._service} may not publish {name}")
        payload, subject = encode_event(event), subject_of(event)
        with (
            telemetry.job_context(**telemetry.ids_of(event)),
            telemetry.span(
                f"publish {subjects.family_of(subject)}", kind=SpanKind.PRODUCER, event=name
            ),
        ):
            said = {"Nats-Msg-Id": subjects.message_id(event), **telemetry.inject()}
            stored = await self.send(subject, payload, {**said, **(headers or {})}, event.stream)
        PUBLISHED.labels(name).inc()
        return stored

    async def send(
        self, subject: str, payload: bytes, headers: dict[str, str], stream: str
    ) -> PubAck:
        """Store a payload. Retries for 30 s under the same message id, so it is stored once.

        Raises BusUnavailable, APIError.
        """
        clock = asyncio.get_running_loop().time
        deadline, delay_s = clock() + PUBLISH_BUDGET_S, 0.1
        while True:
            try:
                return await self._jetstream().publish(
                    subject, payload, timeout=PUBLISH_TIMEOUT_S, stream=stream, headers=headers
                )
            except (TimeoutError, NoStreamResponseError, NatsError) as trouble:
                if isinstance(trouble, APIError) and not isinstance(trouble, NoStreamResponseError):
                    raise
                if clock() + delay_s > deadline:
                    raise BusUnavailable(f"could not publish {subject}") from trouble
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            delay_s = min(delay_s * 2, 2.0)
