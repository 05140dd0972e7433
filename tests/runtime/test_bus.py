"""The bus against a real nats-server: ids, locks, outages, poison, order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nats.aio.msg import Msg

from contracts import subjects
from contracts.errors import ErrorCode, error_info
from contracts.events import (
    AnyJobEvent,
    JobCancelled,
    JobFailed,
    JobSubmitted,
    RetryRequested,
    StepReady,
)
from contracts.lifecycle import JobState
from contracts.subjects import lane_consumer
from runtime import tails
from runtime.bus import Bus
from runtime.nats_process import NatsProcess
from runtime.outcome import Ack, Outcome, Retry, Terminal
from runtime.publishing import NotDeclared
from runtime.stamp import stamp
from runtime.tails import BusUnavailable, JobTail
from runtime.work import Subscription, work
from tests.support.bus import BusFactory
from tests.support.examples import JOB, LANE, OTHER_JOB, whole_job
from tests.support.waiting import eventually

INGEST = next(consumer for consumer in subjects.CONSUMERS if consumer.durable == "ingest-jobs")


def opening() -> tuple[JobSubmitted, AnyJobEvent]:
    """The first two events of a job."""
    submitted, prepared, *_ = whole_job()
    assert isinstance(submitted, JobSubmitted)
    return submitted, prepared


async def test_the_tail_of_a_job_holds_its_events_in_order_and_no_others(
    bus_factory: BusFactory,
) -> None:
    gateway, composer = await bus_factory("gateway"), await bus_factory("composer")
    await gateway.publish(whole_job(JOB)[0])
    await gateway.publish(whole_job(OTHER_JOB)[0])
    ingest = await bus_factory("ingest")
    await ingest.publish(whole_job(JOB)[1])
    await composer.publish(whole_job(JOB)[2])
    tail = await composer.job(JOB)
    assert [e.event for e in tail.events] == ["job_submitted", "media_prepared", "job_composed"]
    assert tail.state.state == "queued"
    assert tail.last_sequence == 4
    assert (await composer.job(OTHER_JOB)).state.state == "accepted"


async def test_the_tail_of_an_unknown_job_is_empty(bus_factory: BusFactory) -> None:
    tail = await (await bus_factory("gateway")).job(JOB)
    assert (tail.events, tail.last_sequence, tail.state.state) == ((), 0, None)


async def test_a_copy_that_is_behind_hides_nothing_that_was_acknowledged(
    bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await bus_factory("gateway")
    gateway._copies[subjects.JOBS_STREAM] = True
    assert (await gateway.job(JOB)).last_sequence == 0
    await gateway.publish(whole_job()[0])
    asked, batch = 0, tails._batch

    async def behind(*request: Any) -> tuple[list[Msg], bool]:
        nonlocal asked
        asked += 1
        return ([], False) if asked < 3 else await batch(*request)

    monkeypatch.setattr(tails, "_batch", behind)
    assert (await gateway.job(JOB)).state.state == "accepted"
    monkeypatch.setattr(tails, "READ_TIMEOUT_S", 0.1)
    asked = -1_000_000
    with pytest.raises(BusUnavailable, match="behind"):
        await gateway.job(JOB)


async def test_publishing_twice_stores_once(bus_factory: BusFactory) -> None:
    gateway = await bus_factory("gateway")
    await gateway.publish(whole_job()[0])
    await gateway.publish(whole_job()[0])
    assert (await gateway.stream_state(subjects.JOBS_STREAM)).messages == 1


async def test_a_service_cannot_publish_what_it_does_not_declare(bus_factory: BusFactory) -> None:
    with pytest.raises(NotDeclared):
        await (await bus_factory("ingest")).publish(whole_job()[0])


async def test_two_terminal_decisions_at_once_end_a_job_once(bus_factory: BusFactory) -> None:
    gateway, executor = await bus_factory("gateway"), await bus_factory("executor")
    await gateway.publish(whole_job()[0])

    def cancel(state: JobState) -> AnyJobEvent | None:
        return JobCancelled(**stamp(None), job_id=JOB, service="gateway")

    def fail(state: JobState) -> AnyJobEvent | None:
        error = error_info(ErrorCode.ENGINE_FAILED)
        return JobFailed(**stamp(None), job_id=JOB, service="executor", error=error)

    won = await asyncio.gather(
        *(gateway.decide(JOB, cancel) for _ in range(5)),
        *(executor.decide(JOB, fail) for _ in range(5)),
    )
    assert len([w for w in won if w is not None]) == 1
    assert len((await gateway.job(JOB)).events) == 2


async def test_a_decision_refuses_nothing_for_a_state_that_is_past(
    bus_factory: BusFactory,
) -> None:
    gateway, executor = await bus_factory("gateway"), await bus_factory("executor")
    await gateway.publish(whole_job()[0])
    await gateway.job(JOB)
    error = error_info(ErrorCode.ENGINE_FAILED)
    await executor.decide(
        JOB, lambda _: JobFailed(**stamp(None), job_id=JOB, service="executor", error=error)
    )

    def retry(state: JobState) -> AnyJobEvent:
        if state.state != "failed":
            raise ValueError(state.state)
        return RetryRequested(**stamp(state.failed), job_id=JOB, requested_by="ann", attempt=2)

    assert await gateway.decide(JOB, retry) is not None
    with pytest.raises(ValueError, match="accepted"):
        await gateway.decide(JOB, retry)


async def test_the_first_event_of_a_job_is_stored_only_as_the_first(
    bus_factory: BusFactory,
) -> None:
    gateway, ingest = await bus_factory("gateway"), await bus_factory("ingest")
    submitted, prepared = opening()
    await gateway.begin(submitted)
    await ingest.publish(prepared)
    await gateway.begin(submitted)
    again = submitted.model_copy(update=stamp(None))
    await (await bus_factory("gateway")).begin(again)
    tail = await ingest.job(JOB)
    assert [e.event_id for e in tail.events] == [submitted.event_id, prepared.event_id]


async def test_who_is_delivered_the_first_event_decides_without_reading_the_job(
    bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, ingest = await bus_factory("gateway"), await bus_factory("ingest")
    submitted, prepared = opening()
    await gateway.begin(submitted)
    delivery = await ingest.fetch(INGEST)
    assert delivery is not None
    read, job = 0, ingest.job

    async def counted(job_id: str) -> JobTail:
        nonlocal read
        read += 1
        return await job(job_id)

    monkeypatch.setattr(ingest, "job", counted)
    assert await ingest.decide(JOB, lambda _: prepared) == prepared
    assert read == 0


async def test_first_event_delivered_late_decides_on_what_came_after_it(
    bus_factory: BusFactory,
) -> None:
    gateway, ingest = await bus_factory("gateway"), await bus_factory("ingest")
    submitted, prepared = opening()
    await gateway.begin(submitted)
    cancelled = JobCancelled(**stamp(submitted), job_id=JOB, service="gateway")
    await gateway.decide(JOB, lambda _: cancelled)
    delivery = await ingest.fetch(INGEST)
    assert delivery is not None
    assert await ingest.decide(JOB, lambda state: None if state.ended else prepared) is None
    assert (await ingest.job(JOB)).state.state == "cancelled"


async def test_a_publish_rides_out_a_server_restart(
    bus_factory: BusFactory, nats_server: NatsProcess
) -> None:
    gateway = await bus_factory("gateway")
    nats_server.kill()
    publishing = asyncio.create_task(gateway.publish(whole_job()[0]))
    await asyncio.sleep(0.3)
    nats_server.start()
    await publishing
    assert (await gateway.job(JOB)).state.state == "accepted"


async def test_following_goes_on_after_a_server_restart_without_gap_or_repeat(
    bus_factory: BusFactory, nats_server: NatsProcess
) -> None:
    gateway = await bus_factory("gateway")
    seen: list[int] = []

    async def read() -> None:
        async for followed in gateway.follow(subjects.JOBS_STREAM, start_sequence=1):
            seen.append(followed.sequence)

    reading = asyncio.create_task(read())
    await gateway.publish(whole_job(JOB)[0])
    await eventually(lambda: seen == [1])
    nats_server.kill()
    nats_server.start()
    await gateway.publish(whole_job(OTHER_JOB)[0])
    await eventually(lambda: seen == [1, 2])
    reading.cancel()


async def test_following_goes_on_when_its_consumer_is_gone_without_a_word(
    bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.follow.LOOK_EVERY_S", 0.3)
    monkeypatch.setattr("runtime.follow.SILENT_S", 1.5)
    gateway = await bus_factory("gateway")
    seen: list[int] = []

    async def read() -> None:
        async for followed in gateway.follow(subjects.JOBS_STREAM, start_sequence=1):
            seen.append(followed.sequence)

    reading = asyncio.create_task(read())
    await gateway.publish(whole_job(JOB)[0])
    await eventually(lambda: seen == [1])
    js = gateway.client.jetstream()
    for consumer in await js.consumers_info(subjects.JOBS_STREAM):
        if consumer.config.durable_name is None:
            await js.delete_consumer(subjects.JOBS_STREAM, consumer.name)
    await gateway.publish(whole_job(OTHER_JOB)[0])
    await eventually(lambda: seen == [1, 2])
    reading.cancel()


async def test_a_follower_that_is_slow_gets_everything_once(bus_factory: BusFactory) -> None:
    gateway, count = await bus_factory("gateway"), 3000
    # Larger than what the server sends before it waits to be told that we have come so far.
    padding = b" " * 20_000
    for _ in range(count):
        await gateway.client.publish("animatrix.v1.jobs.x.y", b"{}" + padding)
    seen: list[int] = []
    async for followed in gateway.follow(subjects.JOBS_STREAM, start_sequence=1):
        seen.append(followed.sequence)
        if followed.sequence % 500 == 0:
            await asyncio.sleep(0.05)
        if followed.sequence == count:
            break
    assert seen == list(range(1, count + 1))


async def test_following_ends_when_the_connection_is_closed(provisioned: NatsProcess) -> None:
    async def read(bus: Bus) -> None:
        async for _ in bus.follow(subjects.JOBS_STREAM):
            pass

    async with Bus("gateway", provisioned.url, on_closed=lambda: None) as bus:
        reading = asyncio.create_task(read(bus))
        await asyncio.sleep(0.5)
    reading.cancel()
    _, still = await asyncio.wait({reading}, timeout=5)
    assert not still


async def _serve(bus: Any, outcomes: list[Outcome], seen: list[Any], until: int) -> None:
    stopping = asyncio.Event()

    async def on_step_ready(event: StepReady) -> Outcome:
        seen.append(event)
        if len(seen) >= until:
            stopping.set()
        return outcomes[len(seen) - 1]

    subscription = Subscription(lane_consumer(LANE), {StepReady: on_step_ready})
    await asyncio.wait_for(work(bus, subscription, stopping), 20)


async def test_retry_delivers_again_and_ack_ends_it(bus_factory: BusFactory) -> None:
    composer, executor = await bus_factory("composer"), await bus_factory("executor")
    await composer.publish(whole_job()[3])
    seen: list[Any] = []
    await _serve(executor, [Retry(0.05, "not yet"), Ack()], seen, 2)
    assert len(seen) == 2
    lag = await executor.consumer_lag(lane_consumer(LANE))
    assert (lag.pending, lag.ack_pending) == (0, 0)


async def test_terminal_becomes_a_dead_letter_with_the_event(bus_factory: BusFactory) -> None:
    composer, executor = await bus_factory("composer"), await bus_factory("executor")
    gateway = await bus_factory("gateway")
    await composer.publish(whole_job()[3])
    await _serve(executor, [Terminal("no good")], [], 1)
    letter = await asyncio.wait_for(anext(aiter(gateway.dead_letters())), 10)
    assert letter.consumer == f"lane-{LANE}"
    assert letter.event is not None
    assert letter.event.event == "step_ready"


async def test_an_unreadable_message_blocks_no_queue(bus_factory: BusFactory) -> None:
    composer, executor = await bus_factory("composer"), await bus_factory("executor")
    await composer.client.publish(f"animatrix.v1.jobs.{JOB}.step_ready.{LANE}", b"{not json")
    await composer.publish(whole_job()[3])
    seen: list[Any] = []
    await _serve(executor, [Ack()], seen, 1)
    assert [e.job_id for e in seen] == [JOB]


async def test_a_handler_longer_than_the_ack_wait_is_delivered_once(
    bus_factory: BusFactory,
) -> None:
    composer, executor = await bus_factory("composer"), await bus_factory("executor")
    await composer.publish(whole_job()[3])
    calls = 0
    stopping = asyncio.Event()

    async def slow(_: StepReady) -> Outcome:
        nonlocal calls
        calls += 1
        await asyncio.sleep(12)
        stopping.set()
        return Ack()

    await work(executor, Subscription(lane_consumer(LANE), {StepReady: slow}, slots=2), stopping)
    assert calls == 1
    assert (await executor.consumer_lag(lane_consumer(LANE))).ack_pending == 0
