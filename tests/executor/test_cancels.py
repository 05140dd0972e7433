"""Cancels: of a waiting step, of a running prompt, of a staged one, of an engine that is away."""

from __future__ import annotations

from tests.executor.scene import Scene


async def test_a_running_prompt_is_interrupted_and_the_job_cancelled(scene: Scene) -> None:
    scene.comfy.speed(0.2)
    async with scene.executor():
        job_id = await scene.job(sampling=200)
        await scene.until(job_id, lambda state: state.started)
        await scene.cancel(job_id)
        state = await scene.ended(job_id)
        assert scene.comfy.waiting() == 0
    assert state.state == "cancelled"
    assert [run["outcome"] for run in scene.comfy.journal("finished")] == ["interrupted"]


async def test_a_staged_prompt_is_deleted_and_the_running_one_goes_on(scene: Scene) -> None:
    scene.comfy.speed(0.3)
    async with scene.executor():
        running = await scene.job(sampling=20)
        await scene.until(running, lambda state: state.started)
        staged = await scene.job(sampling=20)
        await scene.until(staged, lambda state: state.assigned)
        await scene.cancel(staged)
        assert (await scene.ended(staged)).state == "cancelled"
        state = await scene.executed(running)
    assert state.attempt == 1
    assert [run["outcome"] for run in scene.comfy.journal("finished")] == ["success"]


async def test_a_cancelled_job_is_not_started(scene: Scene) -> None:
    job_id = await scene.job()
    await scene.cancel(job_id)
    async with scene.executor():
        assert (await scene.ended(job_id)).state == "cancelled"
    assert scene.comfy.journal("accepted") == []


async def test_a_job_cancelled_while_no_executor_lived_is_withdrawn_by_the_next(
    scene: Scene,
) -> None:
    scene.comfy.speed(0.3)
    async with scene.executor():
        job_id = await scene.job(sampling=200)
        await scene.until(job_id, lambda state: state.started)
    await scene.cancel(job_id)
    async with scene.executor():
        assert (await scene.ended(job_id)).state == "cancelled"
        assert scene.comfy.waiting() == 0


async def test_a_cancel_is_confirmed_though_the_engine_is_away(scene: Scene) -> None:
    scene.comfy.speed(0.3)
    async with scene.executor(cancel_patience_s=1.0):
        job_id = await scene.job(sampling=200)
        await scene.until(job_id, lambda state: state.started)
        scene.comfy.kill()
        await scene.cancel(job_id)
        assert (await scene.ended(job_id)).state == "cancelled"
