"""Who goes on with a step when an executor dies, stops, loses its lease or its bus."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

import httpx

from contracts.events import StepReady
from contracts.ids import comfy_prompt_id
from contracts.subjects import LEASES_BUCKET, lane_consumer
from runtime.engine_board import EngineBoard
from runtime.leases import Lease
from runtime.nats_process import NatsProcess
from runtime.outcome import Ack, Outcome, Retry
from runtime.stamp import now
from services.executor.adapters.comfy_link import open_comfy
from services.executor.adapters.comfy_probe import ComfyProbe, Wanted
from services.executor.comfyui.running import ComfyRunner
from services.executor.deps import Deps, Seat, Tickets
from services.executor.handlers import on_step_ready
from services.executor.ledger import Ledger
from tests.executor.scene import ENGINE, LANE, Scene, until_some
from tests.support.waiting import eventually


async def test_a_killed_executor_is_succeeded_and_the_prompt_runs_once(scene: Scene) -> None:
    scene.comfy.speed(0.5)
    first = scene.executor_process()
    job_id = await scene.job(sampling=14)
    try:
        await scene.until(job_id, lambda state: state.started)
    finally:
        first.kill()
        first.wait(10)
    second = scene.executor_process()
    try:
        state = await scene.executed(job_id, within_s=60)
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    assert state.attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1
    assert [run["outcome"] for run in scene.comfy.journal("finished")] == ["success"]


async def test_sigterm_leaves_the_prompt_running_for_the_successor(scene: Scene) -> None:
    scene.comfy.speed(0.3)
    async with scene.executor():
        job_id = await scene.job(sampling=20)
        await scene.until(job_id, lambda state: state.started)
    assert scene.comfy.waiting() == 1
    async with scene.executor():
        state = await scene.executed(job_id, within_s=40)
    assert state.attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1


async def test_a_prompt_that_ended_while_nobody_watched_is_collected(scene: Scene) -> None:
    scene.comfy.speed(0.2)
    async with scene.executor():
        job_id = await scene.job(sampling=10)
        await scene.until(job_id, lambda state: state.started)
    await eventually(lambda: scene.comfy.waiting() == 0)
    async with scene.executor():
        state = await scene.executed(job_id)
    assert state.attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1


async def test_a_begun_step_is_taken_over_though_another_engine_has_its_lane_loaded(
    scene: Scene,
) -> None:
    async with scene.executor():
        job_id = await scene.job()
        seen = await scene.on_board()
        await scene.executed(job_id)
    job_id = await scene.job()
    async with Bench(scene) as bench:
        await bench.begin()
    elsewhere = {"engine_id": "other", "warm_lane": LANE, "health": "ready", "seen_at": now()}
    await EngineBoard(scene.buses["executor"]).put(seen.model_copy(update=elsewhere))
    async with scene.executor():
        state = await scene.executed(job_id, within_s=20)
    assert state.attempt == 1


async def test_a_lane_is_not_left_to_an_engine_that_nobody_sees_any_more(scene: Scene) -> None:
    async with scene.executor():
        seen = await scene.on_board()
    long_ago = now() - timedelta(seconds=60)
    elsewhere = {"engine_id": "other", "warm_lane": LANE, "health": "ready", "seen_at": long_ago}
    await EngineBoard(scene.buses["executor"]).put(seen.model_copy(update=elsewhere))
    async with scene.executor():
        await scene.executed(await scene.job(), within_s=20)


async def test_without_the_lease_nothing_is_posted(scene: Scene) -> None:
    job_id = await scene.job()
    async with Bench(scene) as bench:
        bucket = await scene.buses["executor"].bucket(LEASES_BUCKET)
        await bucket.put(f"engine.{ENGINE}", b"somebody else")
        outcome = await bench.handle()
        assert isinstance(outcome, Retry)
        assert "lease" in outcome.reason
        assert (await scene.state(job_id)).assigned is not None
        assert scene.comfy.journal("accepted") == []
        await bucket.put(f"engine.{ENGINE}", b"bench")
        assert isinstance(await bench.handle(), Ack)
    assert (await scene.state(job_id)).attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1


async def test_a_prompt_that_a_stalled_executor_posts_again_runs_once(scene: Scene) -> None:
    scene.comfy.speed(0.2)
    async with scene.executor(staged=1):
        running = await scene.job(sampling=20)
        await scene.until(running, lambda state: state.started)
        staged = await scene.job()
        state = await scene.until(staged, lambda state: state.assigned)
        await until_some(lambda: _accepted(scene, 2), 10.0)
        assert state.assigned is not None
        prompt_id = state.assigned.comfy_prompt_id
        async with httpx.AsyncClient(base_url=scene.comfy.url) as http:
            queue = (await http.get("/queue")).json()
            (posted,) = queue["queue_pending"]
            again = {"prompt": posted[2], "prompt_id": prompt_id}
            (await http.post("/prompt", json=again)).raise_for_status()
        await scene.executed(staged)
    assert len(scene.comfy.journal("accepted")) == 3
    started = [run["prompt_id"] for run in scene.comfy.journal("started")]
    assert started.count(prompt_id) == 1


async def _accepted(scene: Scene, count: int) -> bool | None:
    return len(scene.comfy.journal("accepted")) >= count or None


async def test_a_step_of_a_lost_engine_is_left_to_it_until_it_is_gone(scene: Scene) -> None:
    job_id = await scene.job()
    board = EngineBoard(scene.buses["executor"])
    async with Bench(scene) as bench:
        event = bench.event
        ledger = bench.deps.ledger
        prompt_id = "00000000-0000-5000-8000-000000000000"
        assert await ledger.assign(event, engine_id="other", epoch=1, prompt_id=prompt_id)
        seen = bench.deps.link.snapshot
        assert seen is not None
        await board.put(seen.model_copy(update={"engine_id": "other"}))
        outcome = await bench.handle()
        assert isinstance(outcome, Retry)
        assert "other" in outcome.reason
        bucket = await scene.buses["executor"].bucket("engines")
        await bucket.delete("snapshot.other")
        assert isinstance(await bench.handle(), Ack)
    state = await scene.state(job_id)
    assert state.ready is not None
    assert state.ready.attempt == 2


async def test_the_bus_may_go_away_while_a_step_runs(
    scene: Scene, provisioned: NatsProcess
) -> None:
    scene.comfy.speed(0.3)
    async with scene.executor():
        job_id = await scene.job(sampling=10)
        await scene.until(job_id, lambda state: state.started)
        provisioned.kill()
        await asyncio.sleep(1.5)
        provisioned.start()
        state = await scene.executed(job_id, within_s=60)
    assert state.attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1


class Bench:
    """A handler with its dependencies, without the loop around it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.settings = scene.executor_settings()

    async def __aenter__(self) -> Bench:
        bus, media = self._scene.buses["executor"], self._scene.media
        self._link_context = open_comfy(self.settings.engines[0])
        link = await self._link_context.__aenter__()
        self.deps = Deps(
            bus=bus,
            media=media,
            board=EngineBoard(bus),
            ledger=Ledger(bus, media, "bench"),
            settings=self.settings,
            link=link,
            lease=Lease(bus, f"engine.{ENGINE}", "bench"),
            tickets=Tickets(),
        )
        await self.deps.lease.acquire()
        probe = ComfyProbe(
            link, media, self.deps.board, self.settings, lambda _: (LANE,), Wanted(frozenset())
        )
        await probe.look()
        delivery = await bus.fetch(lane_consumer(LANE), 5)
        assert delivery is not None
        assert isinstance(delivery.event, StepReady)
        self._delivery, self.event = delivery, delivery.event
        return self

    async def handle(self) -> Outcome:
        """What the handler says of the step."""
        return await on_step_ready(
            self.event, self.deps, Seat(lambda: None), ComfyRunner(self.deps)
        )

    async def begin(self) -> None:
        """Assigns the step to the engine and is gone, as a process that is killed then."""
        prompt_id = comfy_prompt_id(self.event.job_id, 1, 0, 0)
        await self.deps.ledger.assign(
            self.event, engine_id=ENGINE, epoch=self.deps.lease.epoch, prompt_id=prompt_id
        )
        await self._delivery.give_back()

    async def __aexit__(self, *exc: object) -> None:
        await self.deps.lease.release()
        await self._link_context.__aexit__(None, None, None)
