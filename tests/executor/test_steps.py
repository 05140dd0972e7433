"""Steps that go well: events in order, outputs in the store, chained steps, cached prompts."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts import keys
from contracts.engines import Pause
from contracts.plan import ExecutionReport
from runtime.engine_board import EngineBoard
from runtime.stamp import now
from services.executor.adapters.transfers import fetch_outputs
from services.executor.comfyui import endings
from tests.executor.scene import ENGINE, LANE, Scene, until_some


async def test_a_ready_step_becomes_a_finished_execution(scene: Scene) -> None:
    async with scene.executor():
        job_id = await scene.job()
        state = await scene.executed(job_id)
    assert (await scene.told(job_id))[3:] == [
        "step_ready",
        "step_assigned",
        "step_started",
        "step_finished",
        "execution_finished",
    ]
    result = state.finished[0].result
    video = await scene.media.read_bytes(result.outputs[0].file.key)
    assert result.outputs[0].file.key == keys.step_attempt(job_id, 0, 1) + "/video.mp4"
    assert hashlib.sha256(video).hexdigest() == result.outputs[0].file.sha256
    assert b"ftyp" in video[:16]
    assert result.engine.simulated
    assert result.engine.engine_id == ENGINE
    assert state.assigned is not None
    assert state.execution is not None
    assert result.comfy_prompt_id == state.assigned.comfy_prompt_id
    report = ExecutionReport.model_validate_json(
        await scene.media.read_bytes(state.execution.report.key)
    )
    assert report.results == (result,)
    assert f"animatrix/{job_id}/s0-a1".encode() in await scene.media.read_bytes(result.graph.key)
    assert [run["outcome"] for run in scene.comfy.journal("finished")] == ["success"]


async def test_steps_and_engine_seconds_are_counted(scene: Scene) -> None:
    def counted(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"animatrix_executor_{name}", labels) or 0.0

    before = counted("steps_total", lane=LANE, outcome="succeeded")
    busy = counted("engine_seconds_total", engine=ENGINE, state="busy")
    runs = counted("generation_seconds_count", family="animate")
    async with scene.executor():
        await scene.executed(await scene.job())
    assert counted("steps_total", lane=LANE, outcome="succeeded") == before + 1
    assert counted("engine_seconds_total", engine=ENGINE, state="busy") > busy
    assert counted("generation_seconds_count", family="animate") == runs + 1


async def test_outputs_that_take_a_while_are_told_to_be_on_their_way(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "COLLECTING_TOLD_AFTER_S", 0.01)
    gateway, phases = scene.buses["gateway"], list[str]()

    async def slowly(*given: Any) -> Any:
        async def collecting() -> bool | None:
            told = await gateway.latest_progress(job_id)
            return True if told is not None and told.phase == "collecting" else None

        await until_some(collecting, 20)
        phases.append("collecting")
        return await fetch_outputs(*given)

    monkeypatch.setattr(endings, "fetch_outputs", slowly)
    async with scene.executor():
        job_id = await scene.job()
        await scene.executed(job_id)
    assert phases == ["collecting"]


async def test_two_steps_run_one_after_the_other(scene: Scene) -> None:
    async with scene.executor():
        job_id = await scene.job(steps=2)
        state = await scene.executed(job_id)
    told = await scene.told(job_id)
    assert told.count("step_ready") == 2
    assert told.count("execution_finished") == 1
    assert told.index("step_finished") < len(told) - 1 - told[::-1].index("step_ready")
    assert sorted(state.finished) == [0, 1]


async def test_a_new_prefix_runs_the_saving_node_alone(scene: Scene) -> None:
    async with scene.executor():
        await scene.executed(await scene.job(steps=2))
    again = scene.comfy.journal("finished")[1]
    assert "sampler" in again["nodes_cached"]
    assert again["nodes_run"] == ["save"]


async def test_a_cached_prompt_delivers_the_file_of_the_earlier_run(scene: Scene) -> None:
    async with scene.executor():
        state = await scene.executed(await scene.job(steps=2, prefixed=False))
    assert scene.comfy.journal("finished")[1]["nodes_run"] == []
    first, second = (state.finished[n].result.outputs[0] for n in (0, 1))
    assert second.filename == first.filename
    assert second.file.sha256 == first.file.sha256
    assert second.file.key != first.file.key


async def test_at_most_one_prompt_waits_behind_the_running_one(scene: Scene) -> None:
    scene.comfy.speed(0.25)
    async with scene.executor():
        jobs = [await scene.job(sampling=4) for _ in range(4)]
        most = 0

        async def all_executed() -> bool | None:
            nonlocal most
            most = max(most, scene.comfy.waiting())
            return all([(await scene.state(job)).execution for job in jobs]) or None

        await until_some(all_executed, 60)
    assert most == 2


async def test_the_board_tells_what_the_engine_is(scene: Scene) -> None:
    async with scene.executor():
        seen = await scene.on_board()
    assert seen.simulated
    assert seen.health in ("ready", "busy")
    assert seen.lanes == (LANE,)
    assert "SaveVideo" in seen.node_classes
    assert seen.choices["VAELoader.vae_name"]
    assert seen.catalogue is not None
    assert await scene.media.stat(seen.catalogue.key)


async def test_lanes_are_computed_from_what_the_engine_has(scene: Scene) -> None:
    engine = scene.executor_settings().engines[0].model_copy(update={"lanes": None})
    async with scene.executor(engines=(engine,)):
        seen = await scene.on_board()
    assert LANE in seen.lanes


@pytest.mark.parametrize("what", [f"lane.{LANE}", f"engine.{ENGINE}", "all"])
async def test_what_is_paused_takes_nothing_up_until_it_is_resumed(scene: Scene, what: str) -> None:
    board = EngineBoard(scene.buses["gateway"])
    async with scene.executor():
        running = await scene.job(sampling=10)
        scene.comfy.speed(0.1)
        await scene.until(running, lambda state: state.started)
        await board.pause(Pause(what=what, by="ops", at=now()))
        await scene.executed(running)
        waiting = await scene.job()
        await asyncio.sleep(0.5)
        assert (await scene.state(waiting)).assigned is None
        await board.resume(what)
        resumed_at = time.monotonic()
        await scene.until(waiting, lambda state: state.assigned)
        assert time.monotonic() - resumed_at < 3
