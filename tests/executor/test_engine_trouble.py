"""What goes wrong in an engine: refusals, failures, memory, restarts, absent outputs."""

from __future__ import annotations

from contracts.base import sha256_hex
from contracts.errors import ErrorCode
from contracts.lifecycle import JobState
from runtime.engine_board import EngineBoard
from tests.executor.scene import ENGINE, Scene, until_some


async def test_a_refused_graph_fails_the_job_with_the_engines_words(scene: Scene) -> None:
    vae = {"class_type": "VAELoader", "inputs": {"vae_name": "absent.safetensors"}}
    async with scene.executor():
        job_id = await scene.job(change={"vae": vae})
        state = await scene.ended(job_id)
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.ENGINE_REFUSED
    detail = state.failed.error.detail or ""
    assert "node vae (VAELoader) vae_name: value_not_in_list" in detail
    assert "absent.safetensors" in detail
    assert scene.comfy.waiting() == 0


async def test_a_failing_node_fails_the_job_with_its_exception(scene: Scene) -> None:
    scene.comfy.order({"kind": "error", "class": "KSampler", "times": 1})
    async with scene.executor():
        state = await scene.ended(await scene.job())
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.ENGINE_FAILED
    assert "node sampler (KSampler)" in (state.failed.error.detail or "")


async def test_out_of_memory_once_is_tried_again(scene: Scene) -> None:
    scene.comfy.order({"kind": "oom", "class": "KSampler", "times": 1})
    async with scene.executor():
        state = await scene.executed(await scene.job())
    assert state.attempt == 2
    assert [run["outcome"] for run in scene.comfy.journal("finished")] == ["error", "success"]


async def test_out_of_memory_twice_fails_the_job(scene: Scene) -> None:
    scene.comfy.order({"kind": "oom", "class": "KSampler", "times": 5})
    async with scene.executor():
        state = await scene.ended(await scene.job())
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.ENGINE_OUT_OF_MEMORY
    assert state.failed.attempt == 2
    assert len(scene.comfy.journal("finished")) == 2


async def test_an_engine_restarted_with_an_empty_queue_runs_attempt_two(scene: Scene) -> None:
    scene.comfy.speed(0.5)
    async with scene.executor():
        job_id = await scene.job(sampling=20)
        await scene.until(job_id, lambda state: state.started)
        scene.comfy.kill()
        scene.comfy.start()
        scene.comfy.speed(0.0)
        state = await scene.executed(job_id, within_s=40)
    assert state.attempt == 2
    assert state.finished[0].result.attempt == 2


async def test_an_engine_that_dies_every_time_is_given_up_after_bounded_attempts(
    scene: Scene,
) -> None:
    scene.comfy.speed(0.5)
    async with scene.executor(max_attempts=2):
        job_id = await scene.job(sampling=40)
        for attempt in (1, 2):
            await _started(scene, job_id, attempt)
            scene.comfy.kill()
            scene.comfy.start()
        state = await scene.ended(job_id, within_s=40)
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.ENGINE_LOST


async def test_steps_wait_while_the_engine_is_away(scene: Scene) -> None:
    scene.comfy.kill()
    async with scene.executor():
        job_id = await scene.job()

        async def unreachable() -> str | None:
            seen = (await EngineBoard(scene.buses["gateway"]).all()).get(ENGINE)
            return seen.reason if seen and seen.health == "unreachable" else None

        assert "system_stats" in await until_some(unreachable, 15.0)
        assert (await scene.state(job_id)).assigned is None
        scene.comfy.start()
        await scene.executed(job_id, within_s=40)


async def test_a_missing_output_fails_the_job(scene: Scene) -> None:
    scene.comfy.order({"kind": "lose_outputs"})
    async with scene.executor():
        state = await scene.ended(await scene.job())
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.RESULT_MISSING


async def test_an_output_of_a_node_that_saves_nothing_fails_the_job(scene: Scene) -> None:
    async with scene.executor():
        state = await scene.ended(await scene.job(output_node="video"))
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.RESULT_MISSING
    assert "node video" in (state.failed.error.detail or "")


async def test_a_step_finishes_without_a_websocket(scene: Scene) -> None:
    scene.comfy.order({"kind": "refuse_websocket"})
    async with scene.executor():
        state = await scene.executed(await scene.job())
    assert state.attempt == 1


async def test_a_prompt_taken_without_an_answer_runs_once(scene: Scene) -> None:
    scene.comfy.order({"kind": "accept_without_answer", "times": 1})
    async with scene.executor():
        state = await scene.executed(await scene.job())
    assert state.attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1


async def test_a_prompt_taken_with_a_500_runs_once(scene: Scene) -> None:
    scene.comfy.order({"kind": "accept_with_500", "times": 1})
    async with scene.executor():
        state = await scene.executed(await scene.job())
    assert state.attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1


async def test_a_step_beyond_its_deadline_is_interrupted(scene: Scene) -> None:
    scene.comfy.speed(0.2)
    async with scene.executor():
        state = await scene.ended(await scene.job(sampling=100, deadline_s=1))
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.GENERATION_TIMEOUT
    assert [run["outcome"] for run in scene.comfy.journal("finished")] == ["interrupted"]


async def test_an_interrupt_from_outside_leads_to_another_attempt(scene: Scene) -> None:
    scene.comfy.speed(0.3)
    async with scene.executor():
        job_id = await scene.job(sampling=20)
        await scene.until(job_id, lambda state: state.started)
        await scene.interrupt()
        await scene.until(job_id, lambda state: state.attempt == 2)
        scene.comfy.speed(0.0)
        state = await scene.executed(job_id)
    assert not state.ended


async def test_a_changed_graph_is_refused_as_a_binding_failure(scene: Scene) -> None:
    job_id = await scene.job()
    await scene.media.put_bytes(f"jobs/{job_id}/steps/0/graph.json", b"{}")
    async with scene.executor():
        state = await scene.ended(job_id)
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.WORKFLOW_BINDING_FAILED


async def test_a_wiped_input_folder_is_filled_again(scene: Scene) -> None:
    async with scene.executor():
        await scene.executed(await scene.job(colour="aabbcc"))
        (uploaded,) = (scene.comfy.state / "input" / "animatrix").glob("*.png")
        uploaded.unlink()
        state = await scene.executed(await scene.job(colour="aabbcc"))
    assert state.attempt == 1
    assert uploaded.exists()


async def test_a_torn_upload_under_the_same_name_is_replaced(scene: Scene) -> None:
    job_id = await scene.job(colour="aabbcc")
    whole = await scene.media.read_bytes(f"derivatives/{job_id}/media.png")
    folder = scene.comfy.state / "input" / "animatrix"
    folder.mkdir(parents=True, exist_ok=True)
    torn = folder / f"{sha256_hex(whole)}.png"
    torn.write_bytes(whole[:20])
    async with scene.executor():
        await scene.executed(job_id)
    assert torn.read_bytes() == whole


async def _started(scene: Scene, job_id: str, attempt: int) -> None:
    def holds(state: JobState) -> bool:
        return state.started is not None and state.started.attempt == attempt

    await scene.until(job_id, holds, within_s=40)


async def test_a_result_that_never_appears_is_given_up_at_the_deadline(scene: Scene) -> None:
    scene.comfy.order({"kind": "late_history", "times": 1, "seconds": 60})
    async with scene.executor(cancel_patience_s=1.0):
        state = await scene.ended(await scene.job(deadline_s=2), within_s=40)
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.GENERATION_TIMEOUT
    assert scene.comfy.journal("finished") == []


async def test_a_full_disk_of_the_engine_fails_the_job_with_its_words(scene: Scene) -> None:
    scene.comfy.order({"kind": "disk_full", "class": "SaveVideo", "times": 1})
    async with scene.executor():
        state = await scene.ended(await scene.job())
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.ENGINE_FAILED
    assert "No space left on device" in (state.failed.error.detail or "")


async def test_an_output_that_breaks_off_is_fetched_again(scene: Scene) -> None:
    scene.comfy.order({"kind": "http_cut", "path": "/view", "times": 2})
    async with scene.executor():
        state = await scene.executed(await scene.job())
    assert state.attempt == 1
    assert len(scene.comfy.journal("accepted")) == 1


async def test_a_hanging_node_is_given_up_at_the_deadline_though_it_heeds_no_interrupt(
    scene: Scene,
) -> None:
    scene.comfy.order({"kind": "hang", "class": "KSampler", "seconds": 8, "times": 1})
    async with scene.executor(cancel_patience_s=1.0):
        hanging = await scene.job(deadline_s=1)
        state = await scene.ended(hanging)
        after = await scene.executed(await scene.job(), within_s=40)
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.GENERATION_TIMEOUT
    assert after.attempt == 1


async def test_an_engine_that_hangs_is_left_alone_until_it_lets_go(scene: Scene) -> None:
    scene.comfy.order({"kind": "hang", "class": "KSampler", "seconds": 8, "times": 1})
    async with scene.executor(comfyui_stall_s=1.5, cancel_patience_s=0.5, max_attempts=9, staged=1):
        hanging, behind = await scene.job(), await scene.job()

        async def told() -> str | None:
            seen = (await EngineBoard(scene.buses["gateway"]).all()).get(ENGINE)
            return seen.reason if seen and seen.health == "unreachable" else None

        assert "restart the engine" in await until_some(told, 20.0)
        accepted = len(scene.comfy.journal("accepted"))
        for job_id in (hanging, behind):
            await scene.until(job_id, lambda state: state.attempt == 2)
        assert len(scene.comfy.journal("accepted")) == accepted, "nothing more is sent to it"
        for job_id in (hanging, behind):
            assert (await scene.executed(job_id, within_s=40)).finished[0].result.attempt >= 2


async def test_an_engine_that_hangs_every_time_fails_the_job_as_stalled(scene: Scene) -> None:
    scene.comfy.order({"kind": "slow", "class": "KSampler", "seconds": 30})
    async with scene.executor(comfyui_stall_s=1.0, max_attempts=2):
        state = await scene.ended(await scene.job(), within_s=40)
    assert state.failed is not None
    assert state.failed.error.code is ErrorCode.GENERATION_STALLED
    assert [run["outcome"] for run in scene.comfy.journal("finished")] == ["interrupted"] * 2
