"""Who goes on with a WebUI step when an executor dies or stops; and cancels, early and late."""

from __future__ import annotations

import signal
import subprocess

import pytest

from contracts.stages import WebuiStage
from tests.executor.webui_scene import WebuiScene, animated, scripted, txt2img, upscale


def ended(process: subprocess.Popen[bytes]) -> None:
    """Tells a process to stop and proves that it ended well."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


async def killed_while_running(studio: WebuiScene, config: WebuiStage) -> str:
    """A job whose executor was killed when its engine ran it."""
    first = studio.executor_process()
    try:
        job_id = await studio.job(config, stills=1)
        await studio.until(job_id, lambda state: state.started, within_s=90)
    finally:
        first.kill()
        first.wait(10)
    return job_id


async def test_a_deforum_job_is_found_again_and_runs_once(studio: WebuiScene) -> None:
    studio.webui.speed(0.3)
    job_id = await killed_while_running(studio, scripted(num_frames=12))
    second = studio.executor_process()
    try:
        studio.webui.speed(0.05)
        state = await studio.executed(job_id, within_s=60)
    finally:
        ended(second)
    assert state.attempt == 1
    assert await studio.counters(job_id) == list(range(12))
    assert [run["outcome"] for run in studio.runs("deforum")] == ["success"]


async def test_a_call_whose_asker_was_killed_is_stopped_and_run_again_and_counted(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.2)
    job_id = await killed_while_running(studio, animated(steps=140))
    second = studio.executor_process()
    try:
        await studio.until(job_id, lambda state: state.attempt == 2, within_s=60)
        studio.webui.speed(0.0)
        state = await studio.executed(job_id, within_s=60)
    finally:
        ended(second)
    assert state.finished[0].result.attempt == 2
    assert [run["outcome"] for run in studio.runs("img2img")] == ["interrupted", "success"]


async def test_a_deforum_job_that_ended_while_nobody_watched_is_collected(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.1)
    async with studio.executor():
        job_id = await studio.job(scripted(num_frames=8), stills=1)
        await studio.until(job_id, lambda state: state.started)
    await studio.noted("finished", 1)
    async with studio.executor():
        state = await studio.executed(job_id)
    assert state.attempt == 1
    assert len(studio.webui.journal("accepted")) == 1


async def test_upscaling_of_an_executor_that_stopped_is_run_again_and_counted(
    studio: WebuiScene,
) -> None:
    studio.webui.order({"kind": "slow", "where": "extras", "seconds": 1.0, "times": 1})
    async with studio.executor():
        job_id = await studio.job(upscale(), stills=1)
        await studio.until(job_id, lambda state: state.started)
    async with studio.executor():
        state = await studio.executed(job_id)
    assert state.attempt == 2


async def test_a_step_assigned_but_never_sent_keeps_its_attempt(studio: WebuiScene) -> None:
    crashing = studio.failing_process("after-check-before-post")
    job_id = await studio.job(txt2img())
    assert crashing.wait(60) == -signal.SIGKILL
    assert studio.webui.journal("accepted") == []
    async with studio.executor():
        state = await studio.executed(job_id, within_s=40)
    assert state.attempt == 1
    assert len(studio.runs("txt2img")) == 1


@pytest.mark.parametrize("config", [txt2img(steps=140), animated(steps=140)])
async def test_a_running_call_is_interrupted_and_its_late_answer_is_not_used(
    studio: WebuiScene, config: WebuiStage
) -> None:
    studio.webui.speed(0.1)
    async with studio.executor():
        job_id = await studio.job(config, stills=0 if config.kind == "txt2img" else 1)
        await studio.until(job_id, lambda state: state.started)
        await studio.cancel(job_id)
        assert (await studio.ended(job_id)).state == "cancelled"
    (run,) = studio.webui.journal("finished")
    assert run["outcome"] == "interrupted"
    assert "step_finished" not in await studio.told(job_id)


async def test_a_call_queued_behind_a_strangers_is_cancelled_and_the_strangers_goes_on(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.1)
    async with studio.executor(cancel_patience_s=1.0), studio.stranger(steps=40) as stranger:
        job_id = await studio.job(txt2img(steps=140))
        await studio.noted("accepted", 2)
        await studio.cancel(job_id)
        assert (await studio.ended(job_id)).state == "cancelled"
        await stranger
        await studio.noted("finished", 2)
    assert [run["outcome"] for run in studio.runs("txt2img")] == ["success", "interrupted"]


async def test_a_running_deforum_job_is_stopped(studio: WebuiScene) -> None:
    studio.webui.speed(0.1)
    async with studio.executor():
        job_id = await studio.job(scripted(num_frames=200), stills=1)
        await studio.generating()
        await studio.cancel(job_id)
        assert (await studio.ended(job_id)).state == "cancelled"
    assert [run["outcome"] for run in studio.runs("deforum")] == ["interrupted"]


async def test_a_queued_deforum_job_that_runs_anyway_is_stopped_when_it_does(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.1)
    async with studio.executor(cancel_patience_s=0.5):
        await studio.strange_batch(frames=40)
        job_id = await studio.job(scripted(num_frames=200), stills=1)
        await studio.noted("accepted", 2)
        await studio.cancel(job_id)
        assert (await studio.ended(job_id)).state == "cancelled"
        await studio.noted("finished", 2)
    assert [run["outcome"] for run in studio.runs("deforum")] == ["success", "interrupted"]


async def test_a_job_cancelled_while_no_executor_lived_is_withdrawn_by_the_next(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.1)
    async with studio.executor():
        job_id = await studio.job(scripted(num_frames=200), stills=1)
        await studio.until(job_id, lambda state: state.started)
    await studio.cancel(job_id)
    async with studio.executor():
        assert (await studio.ended(job_id)).state == "cancelled"
    assert [run["outcome"] for run in studio.runs("deforum")] == ["interrupted"]


async def test_a_cancelled_job_is_not_started(studio: WebuiScene) -> None:
    job_id = await studio.job(txt2img())
    await studio.cancel(job_id)
    async with studio.executor():
        assert (await studio.ended(job_id)).state == "cancelled"
    assert studio.webui.journal("accepted") == []
