"""Streams taken up again: across a restart of the gateway, and on the other one of two."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from contracts.events import AnyJobEvent, JobEvent
from runtime.ids import new_id
from services.gateway.fanout import Fanout
from services.gateway.told import Told
from tests.support.gateway import StartGateway, World, sse, whole_job
from tests.support.waiting import eventually

SHOWN = ["accepted", "uploaded", "queued", "executing", "collecting_outputs", "completed"]
Heard = list[tuple[str, str, int]]


async def hear(world: World, heard: Heard, wanted: int, *, url: str = "/api/stream") -> None:
    """Hear so many durable events more, taken up after the last one."""
    headers = {"Last-Event-ID": str(heard[-1][2])} if heard else {}
    until = len(heard) + wanted
    async with (
        world.http.stream("GET", url, headers=headers) as answer,
        aclosing(sse(answer)) as events,
    ):
        while len(heard) < until:
            event: dict[str, Any] = await anext(events)
            if event["id"] is not None:
                job = event["data"].get("job_id", "")
                heard.append((event["event"], job, int(event["id"])))


async def test_what_happens_while_the_gateway_is_away_is_heard_after_it(
    gateway: StartGateway,
) -> None:
    job_id, other = new_id(), new_id()
    events: list[JobEvent] = whole_job(job_id)
    everything: Heard = []
    single: Heard = []
    async with gateway() as world:
        listening = asyncio.create_task(hear(world, everything, 3))
        await eventually(lambda: everything)
        await world.say(*events[:2])
        await listening
        await hear(world, single, 2, url=f"/api/jobs/{job_id}/stream")
        away = world
    await away.say(*events[2:6], *whole_job(other)[:3])
    async with gateway() as world:
        await hear(world, everything, 5)
        await hear(world, single, 2, url=f"/api/jobs/{job_id}/stream")
        await world.say(*events[6:])
        await hear(world, everything, 2)
        await hear(world, single, 2, url=f"/api/jobs/{job_id}/stream")
    assert everything[0][0] == "ready"
    assert [name for name, job, _ in everything if job == job_id] == SHOWN
    assert [name for name, job, _ in everything if job == other] == SHOWN[:3]
    assert [name for name, _, _ in single] == SHOWN
    for heard in (everything, single):
        ids = [sequence for _, _, sequence in heard]
        assert ids == sorted(set(ids))


async def test_a_client_that_changes_between_two_gateways_hears_everything_once(
    gateway: StartGateway,
) -> None:
    heard = Heard()
    jobs = [new_id() for _ in range(6)]
    async with gateway() as first, gateway() as second:
        await hear(first, heard, 1)

        async def work() -> None:
            for job_id in jobs:
                await first.say(*whole_job(job_id))

        working = asyncio.create_task(work())
        # One or two events here, then over to the other one, which may lag behind.
        for turn in range(24):
            await hear((second, first)[turn % 2], heard, 1 + turn % 2)
        await working
    assert [name for name, job, _ in heard if not job] == ["ready"]
    for job_id in jobs:
        assert [name for name, job, _ in heard if job == job_id] == SHOWN
    ids = [sequence for _, _, sequence in heard]
    assert ids == sorted(set(ids))


async def test_a_gateway_that_lags_waits_instead_of_sending_the_client_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, heard, held = new_id(), Heard(), asyncio.Event()
    judge = Fanout._judge

    async def slowly(self: Fanout, event: AnyJobEvent, sequence: int) -> Told | None:
        await held.wait()
        return await judge(self, event, sequence)

    monkeypatch.setattr(Fanout, "_judge", slowly)
    await world.say(*whole_job(job_id)[:2])
    # The client heard both on another gateway; this one's picture has neither.
    last = (await world.buses["gateway"].stream_state("JOBS")).last_sequence
    heard.append(("uploaded", job_id, last))
    listening = asyncio.create_task(hear(world, heard, 1))
    await asyncio.sleep(0.3)
    held.set()
    await world.say(whole_job(job_id)[2])
    await listening
    assert heard[-1] == ("queued", job_id, last + 1)


async def test_a_stream_opened_before_anything_is_followed_begins_at_the_right_place(
    world: World,
) -> None:
    await world.say(*whole_job(new_id())[:3])
    hub = Fanout(world.buses["gateway"])
    waiting, stopping = asyncio.create_task(hub.begun()), asyncio.Event()
    await asyncio.sleep(0)
    assert not waiting.done()
    running_hub = asyncio.create_task(hub.run(stopping))
    await waiting
    assert hub.last_sequence == 3
    stopping.set()
    await running_hub
