"""Fetches that wait: stops, cancels, restarts of the server. Against a real nats-server."""

from __future__ import annotations

import asyncio

import pytest

from contracts import subjects
from contracts.events import JobSubmitted
from runtime import pulling
from runtime.bus import Bus
from runtime.nats_process import NatsProcess
from runtime.outcome import Ack, Outcome
from runtime.work import Subscription, work
from tests.support.bus import BusFactory
from tests.support.examples import JOB, OTHER_JOB, whole_job
from tests.support.waiting import eventually

INGEST = next(consumer for consumer in subjects.CONSUMERS if consumer.durable == "ingest-jobs")
SOON_S = 5.0
"""Well below what a request waits, and what the server waits for an ack."""


class Working:
    """A work loop that notes whose job was submitted."""

    def __init__(self, bus: Bus, slots: int) -> None:
        self.bus = bus
        self.seen: list[str] = []
        self.stopping = asyncio.Event()
        subscription = Subscription(INGEST, {JobSubmitted: self._note}, slots=slots)
        self.task = asyncio.create_task(work(bus, subscription, self.stopping))

    async def _note(self, event: JobSubmitted) -> Outcome:
        self.seen.append(event.job_id)
        return Ack()


async def until_waiting(bus: Bus, count: int) -> None:
    """So many requests wait at the server for a message."""

    async def all_wait() -> bool:
        info = await bus.jetstream.consumer_info(INGEST.stream, INGEST.durable)
        return bool(info.num_waiting == count)

    await eventually(all_wait, within_s=SOON_S)


@pytest.fixture(autouse=True)
def waits_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may pass because a request ran out."""
    monkeypatch.setattr("runtime.work.WAIT_S", 6 * pulling.WAIT_S)


async def test_a_stop_ends_every_waiting_fetch_at_once(bus_factory: BusFactory) -> None:
    working = Working(await bus_factory("ingest"), slots=3)
    await until_waiting(working.bus, 3)
    working.stopping.set()
    await asyncio.wait_for(working.task, SOON_S)


async def test_who_stopped_takes_nothing_away_from_others(bus_factory: BusFactory) -> None:
    gateway, other = await bus_factory("gateway"), await bus_factory("ingest")
    working = Working(await bus_factory("ingest"), slots=3)
    await until_waiting(working.bus, 3)
    working.stopping.set()
    await working.task
    await gateway.publish(whole_job(JOB)[0])
    delivery = await other.fetch(INGEST, SOON_S)
    assert delivery is not None
    assert delivery.delivered == 1
    assert working.seen == []


async def test_what_comes_for_a_cancelled_fetch_is_given_back(bus_factory: BusFactory) -> None:
    gateway, other = await bus_factory("gateway"), await bus_factory("ingest")
    left = await bus_factory("ingest")
    fetching = asyncio.create_task(left.fetch(INGEST, 60))
    await until_waiting(left, 1)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await gateway.publish(whole_job(JOB)[0])
    delivery = await other.fetch(INGEST, SOON_S)
    assert delivery is not None
    assert delivery.delivered == 2


async def test_waiting_fetches_ask_again_when_the_server_was_restarted(
    bus_factory: BusFactory, nats_server: NatsProcess
) -> None:
    gateway = await bus_factory("gateway")
    working = Working(await bus_factory("ingest"), slots=2)
    await until_waiting(working.bus, 2)
    nats_server.kill()
    nats_server.start()
    for job_id in (JOB, OTHER_JOB):
        await gateway.publish(whole_job(job_id)[0])
    await eventually(lambda: sorted(working.seen) == sorted([JOB, OTHER_JOB]), within_s=SOON_S)
    working.stopping.set()
    await working.task


async def test_a_refused_fetch_is_tried_again_until_its_consumer_is_there(
    bus_factory: BusFactory,
) -> None:
    gateway = await bus_factory("gateway")
    working = Working(await bus_factory("ingest"), slots=1)
    await until_waiting(working.bus, 1)
    js = gateway.client.jetstream()
    there = (await js.consumer_info(INGEST.stream, INGEST.durable)).config
    await js.delete_consumer(INGEST.stream, INGEST.durable)
    await js.add_consumer(INGEST.stream, there)
    await gateway.publish(whole_job(JOB)[0])
    await eventually(lambda: working.seen == [JOB], within_s=SOON_S)
    working.stopping.set()
    await working.task
