"""How a job of a stage chain ends, on a real nats-server: told, once, cleared up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts import events as e
from contracts import keys
from runtime.media_store_local import LocalMediaStore
from runtime.outcome import Ack
from services.collector.handlers import Deps, on_execution_finished
from services.collector.settings import Settings
from tests.collector.chain import Chain, leave_chain, of_frames, of_stills
from tests.collector.scene import Stage
from tests.support.bus import BusFactory
from tests.support.examples import JOB


@pytest.fixture
def stage(bus_factory: BusFactory) -> Stage:
    return Stage(bus_factory, {})


async def finish(
    stage: Stage, media: LocalMediaStore, chain: Chain
) -> tuple[Deps, e.ExecutionFinished]:
    deps = Deps(await stage.bus("collector"), media, Settings(), "animatrix test")
    event = await stage.play(await leave_chain(media, chain))
    assert await on_execution_finished(event, deps) == Ack()
    return deps, event


async def frames_of(media: LocalMediaStore) -> list[str]:
    return [key async for key in media.keys(f"jobs/{JOB}/steps") if key.endswith(".png")]


async def test_a_job_without_any_engine_step_completes(
    stage: Stage, media_store: LocalMediaStore
) -> None:
    deps, _ = await finish(stage, media_store, of_stills(2, 12, container="webm"))
    completed = (await deps.bus.job(JOB)).state.completed
    assert completed is not None
    assert not completed.simulated
    assert completed.outputs.video.key.endswith("/outputs/video.webm")


async def test_rendering_is_told_as_the_step_after_the_engine_s(
    stage: Stage, media_store: LocalMediaStore
) -> None:
    gateway = await stage.bus("gateway")
    await finish(stage, media_store, replace(of_stills(2, 200), uploaded=False))
    latest = await gateway.latest_progress(JOB)
    assert latest is not None
    assert (latest.step, latest.steps, latest.fraction) == (1, 2, 1.0)
    assert latest.phase == "collecting"


async def test_frames_that_nobody_keeps_go_when_the_job_is_complete(
    stage: Stage, media_store: LocalMediaStore
) -> None:
    deps, event = await finish(stage, media_store, of_frames(5))
    assert (await deps.bus.job(JOB)).state.state == "completed"
    assert await frames_of(media_store) == []
    assert await on_execution_finished(event, deps) == Ack()


async def test_frames_are_dropped_by_the_next_delivery_when_the_first_died_before_it(
    stage: Stage, media_store: LocalMediaStore
) -> None:
    chain = of_frames(5)
    deps, event = await finish(stage, media_store, chain)
    for number, data in enumerate(chain.pictures):
        await media_store.put_bytes(keys.picture(keys.step_attempt(JOB, 0, 1), number), data)
    assert await on_execution_finished(event, deps) == Ack()
    assert await frames_of(media_store) == []


async def test_kept_frames_stay_with_the_step_and_the_outputs(
    stage: Stage, media_store: LocalMediaStore
) -> None:
    deps, _ = await finish(stage, media_store, of_frames(5, keep_frames=True))
    assert len(await frames_of(media_store)) == 5
    state = (await deps.bus.job(JOB)).state
    assert state.completed is not None
    assert state.completed.outputs.frames is not None


async def test_stills_of_a_step_stay(stage: Stage, media_store: LocalMediaStore) -> None:
    await finish(stage, media_store, replace(of_stills(2, 12), uploaded=False))
    assert len(await frames_of(media_store)) == 2
