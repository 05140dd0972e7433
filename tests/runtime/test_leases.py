"""Leases against a real nats-server: one holder, growing epochs, expiry."""

from __future__ import annotations

import asyncio

import pytest
from nats.errors import NoRespondersError
from nats.js.kv import KeyValue

from contracts.subjects import LEASES_BUCKET
from runtime.leases import Lease
from runtime.nats_process import NatsProcess
from runtime.provision import LEASE_TTL_S
from tests.support.bus import BusFactory
from tests.support.waiting import eventually


async def test_only_one_holds_a_lease_and_the_next_has_a_higher_epoch(
    bus_factory: BusFactory,
) -> None:
    bus = await bus_factory("executor")
    first, second = Lease(bus, "engine.a", "one"), Lease(bus, "engine.a", "two")
    assert await first.acquire(wait=False)
    assert not await second.acquire(wait=False)
    assert await first.confirm()
    assert not await second.confirm()
    await first.release()
    assert await second.acquire(wait=False)
    assert second.epoch > first.epoch
    assert not first.held
    await second.release()


async def test_the_lease_of_a_dead_holder_expires(bus_factory: BusFactory) -> None:
    bus = await bus_factory("executor")
    dead, heir = Lease(bus, "engine.a", "dead"), Lease(bus, "engine.a", "heir")
    assert await dead.acquire(wait=False)
    assert dead._renewing is not None
    dead._renewing.cancel()
    assert await asyncio.wait_for(heir.acquire(), 15)
    assert not await dead.confirm()
    await heir.release()


async def test_a_renewed_lease_outlives_its_time_to_live(bus_factory: BusFactory) -> None:
    bus = await bus_factory("executor")
    held, other = Lease(bus, "engine.a", "one"), Lease(bus, "engine.a", "two")
    assert await held.acquire(wait=False)
    await asyncio.sleep(7)
    assert held.held
    assert await held.confirm()
    assert not await other.acquire(wait=False)
    await held.release()


async def test_losing_the_bus_for_longer_than_the_time_to_live_loses_the_lease(
    bus_factory: BusFactory, nats_server: NatsProcess
) -> None:
    bus = await bus_factory("executor")
    lease = Lease(bus, "engine.a", "one")
    assert await lease.acquire(wait=False)
    nats_server.kill()
    await eventually(lambda: not lease.held, within_s=20)
    assert not await lease.confirm()
    nats_server.start()
    await lease.release()


async def test_a_renewal_that_fails_is_tried_again_before_the_lease_is_gone(
    bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = await bus_factory("executor")
    lease, other = Lease(bus, "engine.a", "one"), Lease(bus, "engine.a", "two")
    assert await lease.acquire(wait=False)
    asked, bucket = 0, bus.bucket

    async def failing_at_first(name: str) -> KeyValue:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.Event().wait()  # never answered
        if asked == 2:
            raise NoRespondersError
        return await bucket(name)

    renewed_at = lease._renewed_at
    monkeypatch.setattr(bus, "bucket", failing_at_first)
    await eventually(lambda: lease._renewed_at > renewed_at, within_s=LEASE_TTL_S + 2)
    assert lease.held
    assert not await other.acquire(wait=False)
    await lease.release()


async def test_a_lease_that_another_took_while_its_holder_stalled_is_lost_and_can_be_had_again(
    bus_factory: BusFactory,
) -> None:
    bus = await bus_factory("executor")
    stalled, heir = Lease(bus, "engine.a", "stalled"), Lease(bus, "engine.a", "heir")
    assert await stalled.acquire(wait=False)
    bucket = await bus.bucket(LEASES_BUCKET)
    await bucket.delete("engine.a")
    assert await heir.acquire(wait=False)
    await asyncio.wait_for(stalled.lost.wait(), 10)
    assert not stalled.held
    await stalled.release()
    assert await heir.confirm()
    await heir.release()
    assert await asyncio.wait_for(stalled.acquire(), 10)
    await stalled.release()
