"""The bus as a service has it: one connection, and everything that is said or asked over it.

The only user of FastStream, which keeps the connection. Owns that and reading; fetching is in
runtime.fetching, publishing in runtime.publishing, the lock of a job in runtime.deciding. Must not
know what an event leads to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import structlog
from faststream.nats import NatsBroker
from faststream.nats.security import NatsUserPassword
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from nats.js.kv import KeyValue
from pydantic import ValidationError

from contracts import subjects
from contracts.events import (
    AnyEvent,
    AnyJobEvent,
    Event,
    JobEvent,
    JobSubmitted,
    Progress,
    encode_event,
    parse_event,
    parse_progress,
)
from contracts.lifecycle import JobState
from contracts.subjects import Consumer, Service
from runtime import telemetry
from runtime.bus_accounts import inbox_of
from runtime.dead_letters import (
    Advisory,
    DeadLetter,
    Original,
    dead_letters,
    read_advisories,
    read_original,
)
from runtime.deciding import Decide, Decisions
from runtime.delivery import Delivery
from runtime.fetching import Fetching
from runtime.follow import Followed, follow
from runtime.publishing import Publisher
from runtime.settings import nats_servers
from runtime.tail_memory import TailMemory
from runtime.tails import (
    AssetTail,
    BusUnavailable,
    JobTail,
    read_asset,
    read_job,
    read_messages,
)

log = structlog.get_logger()

ASK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer is behind: waiting, in hand, delivered more than once."""

    pending: int
    ack_pending: int
    redelivered: int


@dataclass(frozen=True, slots=True)
class StreamState:
    """The extent of a stream."""

    messages: int
    size_bytes: int
    first_sequence: int
    last_sequence: int


class Bus:
    """A connection of one service to the bus."""

    def __init__(
        self,
        service: Service,
        nats_url: str,
        on_closed: Callable[[], None],
        password: str | None = None,
    ) -> None:
        """`on_closed` is called when the connection is gone for good; the process should end.

        `password` is that of the service's own account, where the bus has accounts.
        """
        self.service = service
        self._url = nats_url
        self._fetching = Fetching(lambda: self.client)
        self._copies: dict[str, bool] = {}
        self._tails = TailMemory()
        self._publisher = Publisher(service, lambda: self.jetstream)
        self._decisions = Decisions(self._publisher, lambda job_id: self.job(job_id), self._tails)
        self._jetstream: JetStreamContext | None = None
        self._started = False

        async def closed() -> None:
            await self._fetching.ask_anew()
            on_closed()

        async def failed(error: Exception) -> None:
            # Without this nats-py prints a traceback for every attempt to reconnect.
            log.warning("bus connection trouble", reason=repr(error))

        self._broker = NatsBroker(
            nats_servers(nats_url),
            name=f"animatrix-{service}",
            security=None if password is None else NatsUserPassword(service, password),
            inbox_prefix=inbox_of(service),
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=5,
            drain_timeout=2,
            closed_cb=closed,
            reconnected_cb=self._fetching.ask_anew,
            error_cb=failed,
            logger=None,
        )

    async def connect(self) -> None:
        """Connect, waiting for a server as long as it takes."""
        await self._broker.start()
        self._started = True

    async def __aenter__(self) -> Bus:
        """Connect unless connected."""
        if not self._started:
            await self.connect()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the connection, also while it is trying to reconnect.

        Not by draining: that waits up to 30 s for pull subscriptions whose queues hold nothing but
        status messages. Every publish of ours has been acknowledged, or has raised, by now.
        """
        await self.client.close()

    @property
    def client(self) -> Client:
        """The raw connection, for the modules of runtime only."""
        connection = self._broker.connection
        if not isinstance(connection, Client):
            raise BusUnavailable("not connected")
        return connection

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream on that connection, for the modules of runtime only."""
        if self._jetstream is None:
            self._jetstream = self.client.jetstream(timeout=ASK_TIMEOUT_S)
        return self._jetstream

    @property
    def connected(self) -> bool:
        """True while the server is reachable."""
        return bool(self.client.is_connected)

    async def bucket(self, name: str) -> KeyValue:
        """A provisioned KV bucket, for the modules of runtime only."""
        return await self._broker.key_value(name, declare=False)

    async def publish(self, event: Event) -> None:
        """Store an event. Retries for 30 s under the same message id, so it is stored once.

        Raises NotDeclared, BusUnavailable, ValueError above 64 KB.
        """
        await self._publisher.publish(event)
        if isinstance(event, JobEvent):
            self._tails.forget(event.job_id)

    async def begin(self, event: JobSubmitted) -> None:
        """Store the first event of a job, and only as the first: what was said of it before stays.

        Raises BusUnavailable, NotDeclared.
        """
        await self._decisions.begin(event)

    async def progress(self, progress: Progress) -> None:
        """Tell the latest progress; lost when nobody listens and the server restarts."""
        await self.client.publish(
            subjects.progress_subject(progress.job_id), encode_event(progress)
        )

    async def job(self, job_id: str) -> JobTail:
        """Everything said of a job so far. Raises BusUnavailable."""
        stream = subjects.JOBS_STREAM
        copies = await self._has_copies(stream)
        tail = await read_job(
            self.client, stream, subjects.job_subtree(job_id), job_id, copies=copies
        )
        self._tails.keep(job_id, tail)
        return tail

    async def recent(self, job_id: str) -> JobState:
        """The job's state as this process saw it last, else as it is: enough to prepare what
        `decide` decides. Raises BusUnavailable."""
        tail = self._tails.of(job_id) or await self.job(job_id)
        return tail.state

    async def asset(self, asset_id: str) -> AssetTail:
        """Everything said of an asset so far. Raises BusUnavailable."""
        stream = subjects.ASSETS_STREAM
        copies = await self._has_copies(stream)
        return await read_asset(
            self.client, stream, subjects.asset_subtree(asset_id), copies=copies
        )

    async def _has_copies(self, stream: str) -> bool:
        """Whether more than one server holds the stream; asked once."""
        if stream not in self._copies:
            try:
                config = (await self.jetstream.stream_info(stream)).config
            except (TimeoutError, NatsError, NotFoundError) as absent:
                raise BusUnavailable(f"no stream {stream}") from absent
            self._copies[stream] = (config.num_replicas or 1) > 1
        return self._copies[stream]

    async def decide(self, job_id: str, decide: Decide) -> AnyJobEvent | None:
        """Publish what `decide` makes of the job's state, under the lock of the job's subtree.

        The state may first be one that is remembered: when another event came in between, nothing
        follows from it or `decide` raises, the state is read and `decide` is called again. An event
        that may not follow is not published. Returns what was published, or None.
        Raises BusUnavailable, NotDeclared.
        """
        return await self._decisions.decide(job_id, decide)

    async def fetch(self, consumer: Consumer, timeout_s: float = 1.0) -> Delivery | None:
        """The next message of a durable, or None after `timeout_s` at the latest.

        A payload that is no event of ours becomes a dead letter at once; one of a version that is
        unknown here is given back some times first, for a replica of another release. A fetch that
        waits while the connection is made anew returns at once (facts on JetStream, trap 8).
        """
        delivery = await self._fetching.fetch(consumer, timeout_s)
        if delivery is not None:
            self._decisions.learn(delivery.event, delivery.headers, delivery.sequence)
        return delivery

    async def end_fetching(self, consumer: Consumer) -> None:
        """Whoever waits for a message of the durable returns with None at once, and so does every
        later fetch; what was on its way is given back to the server."""
        await self._fetching.end(consumer)

    async def consumer_lag(self, consumer: Consumer) -> Lag:
        """How far a durable is behind. Raises BusUnavailable when it is not provisioned."""
        try:
            info = await self.jetstream.consumer_info(consumer.stream, consumer.durable)
        except (TimeoutError, NatsError, NotFoundError) as absent:
            raise BusUnavailable(f"no consumer {consumer.durable}") from absent
        return Lag(info.num_pending or 0, info.num_ack_pending or 0, info.num_redelivered or 0)

    async def undelivered(self, consumer: Consumer, at_most: int) -> list[AnyEvent]:
        """Events that the durable has delivered to nobody yet, in order, only looked at.

        What was given back and comes again is not among them, nor what is no event. Raises
        BusUnavailable.
        """
        try:
            info = await self.jetstream.consumer_info(consumer.stream, consumer.durable)
        except (TimeoutError, NatsError, NotFoundError) as absent:
            raise BusUnavailable(f"no consumer {consumer.durable}") from absent
        first = (info.delivered.stream_seq if info.delivered else 0) + 1
        (subject,) = consumer.subjects
        found = []
        for message in await read_messages(self.client, consumer.stream, subject, first, at_most):
            try:
                found.append(parse_event(message.data))
            except ValidationError as broken:
                log.debug("passed over", subject=message.subject, reason=str(broken)[:200])
        return found

    async def stream_state(self, stream: str) -> StreamState:
        """The extent of a stream. Raises BusUnavailable."""
        try:
            state = (await self.jetstream.stream_info(stream)).state
        except (TimeoutError, NatsError, NotFoundError) as absent:
            raise BusUnavailable(f"no stream {stream}") from absent
        return StreamState(state.messages, state.bytes, state.first_seq, state.last_seq)

    def follow(
        self, stream: str, subjects: Sequence[str] = (), start_sequence: int | None = None
    ) -> AsyncIterator[Followed]:
        """Every message of a stream in order, from a sequence or from now on (runtime.follow).

        At most one subject narrows it; none means the whole stream.
        """
        if len(subjects) > 1:
            raise ValueError("an ordered consumer takes one subject")
        return follow(self.client, stream, subjects[0] if subjects else "", start_sequence)

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Every dead letter not yet dealt with (runtime.dead_letters)."""
        pull = self._fetching.pull(subjects.DEADLETTERS_STREAM, subjects.DEADLETTER_CONSUMER)
        return dead_letters(self.client, pull)

    async def advisories(self, first: int, last: int) -> list[Advisory]:
        """What stands in DEADLETTERS between two sequences, dealt with or not, in order.

        Raises BusUnavailable.
        """
        return await read_advisories(self.client, first, last)

    async def original(self, letter: Advisory) -> Original | None:
        """The message that was given up, None when it is gone. Raises BusUnavailable."""
        return await read_original(self.jetstream, letter.stream, letter.stream_sequence)

    async def deliver_again(self, letter: Advisory, original: Original) -> None:
        """Store the message of a dead letter once more, as it was, for all who read its subject.

        Not bound by what the service publishes: nothing new is said. Its message id derives from
        the place it was read from, so that asking twice stores it once. Raises BusUnavailable.
        """
        headers = {
            "Nats-Msg-Id": f"{letter.stream}-{letter.stream_sequence}",
            **telemetry.inject(),
        }
        await self._publisher.send(original.subject, original.payload, headers, letter.stream)

    async def latest_progress(self, job_id: str) -> Progress | None:
        """The last progress of a job that is still remembered."""
        try:
            message = await self.jetstream.get_last_msg(
                subjects.PROGRESS_STREAM, subjects.progress_subject(job_id), direct=True
            )
            return parse_progress(message.data or b"")
        except (TimeoutError, NatsError, APIError, ValidationError):
            return None
