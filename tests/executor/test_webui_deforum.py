"""Deforum: statuses that lie, jobs that vanish or stand still, and frames that cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts.errors import ErrorCode
from contracts.lifecycle import JobState
from tests.executor.webui_scene import WebuiScene, scripted
from tests.support.waiting import eventually
from tests.support.webui import start_webui

C = ErrorCode


def started(attempt: int) -> Callable[[JobState], object]:
    """Holds once that attempt runs."""
    return lambda state: state.started is not None and state.started.attempt == attempt


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "zero_frames"}, C.FRAMES_MISSING),
        ({"kind": "lose_files"}, C.FRAMES_MISSING),
        ({"kind": "corrupt_frames", "where": "deforum"}, C.RESULT_INVALID),
    ],
)
async def test_success_without_its_frames_fails_the_job(
    studio: WebuiScene, fault: dict[str, Any], code: ErrorCode
) -> None:
    studio.webui.order(fault)
    async with studio.executor():
        job_id = await studio.job(scripted(), stills=1)
        assert await studio.code(job_id) is code
    assert "step_finished" not in await studio.told(job_id)
    assert [run["outcome"] for run in studio.runs("deforum")] == ["success"]


async def test_frames_that_may_not_be_served_fail_the_job_by_name(studio: WebuiScene) -> None:
    studio.webui.install(file_access=False)
    async with studio.executor():
        failed = await studio.failure(await studio.job(scripted(), stills=1))
    assert failed.error.code is C.FRAMES_WITHHELD
    assert "403" in (failed.error.detail or "")


@pytest.mark.parametrize(
    ("params", "more"),
    [
        ({"prompts": {1: "late"}}, {}),
        ({"prompts": {0: "a", 99: "beyond"}}, {}),
        ({"prompts": {0: " "}}, {}),
        ({"prompts": {0: "a --neg b"}}, {}),
        ({"prompts": {0: "`t`"}}, {}),
    ],
)
async def test_settings_that_would_fail_or_mislead_are_never_sent(
    studio: WebuiScene, params: dict[str, Any], more: dict[str, Any]
) -> None:
    async with studio.executor():
        job_id = await studio.job(scripted(params, **more), stills=1)
        assert await studio.code(job_id) is C.WORKFLOW_BINDING_FAILED
    assert studio.webui.journal("accepted") == []


async def test_controlnet_that_went_away_after_the_look_fails_the_job(
    studio: WebuiScene,
) -> None:
    async with studio.executor(webui_catalogue_interval_s=600.0):
        await studio.on_board()
        studio.webui.install(controlnet=False)
        failed = await studio.failure(await studio.job(scripted(), stills=1))
    assert failed.error.code is C.ENGINE_FAILED
    assert "ControlNet" in (failed.error.detail or "")
    assert len(studio.runs("deforum")) == 1


async def test_a_failure_called_retryable_is_tried_again_and_counted(studio: WebuiScene) -> None:
    studio.webui.order({"kind": "fail", "times": 1})
    async with studio.executor():
        state = await studio.executed(await studio.job(scripted(), stills=1))
    assert state.attempt == 2
    assert [run["outcome"] for run in studio.runs("deforum")] == ["error", "success"]


async def test_a_job_that_stands_still_every_time_is_given_up_as_stalled(
    studio: WebuiScene,
) -> None:
    studio.webui.order({"kind": "stall", "seconds": 60})
    async with studio.executor(max_attempts=1, deforum_stall_s=0.5, cancel_patience_s=2.0):
        job_id = await studio.job(scripted(), stills=1)
        assert await studio.code(job_id) is C.GENERATION_STALLED


async def test_a_core_interrupt_that_leaves_a_job_accepted_for_good_is_run_again(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.4)
    async with studio.executor(deforum_stall_s=1.0):
        job_id = await studio.job(scripted(num_frames=16), stills=1)
        await studio.generating()
        studio.webui.interrupt()
        await studio.until(job_id, lambda state: state.attempt == 2)
        studio.webui.speed(0.0)
        await studio.executed(job_id)
    assert [run["outcome"] for run in studio.runs("deforum")] == ["interrupted", "success"]


async def test_a_job_cancelled_by_a_stranger_is_run_again(studio: WebuiScene) -> None:
    studio.webui.speed(0.4)
    async with studio.executor():
        job_id = await studio.job(scripted(num_frames=16), stills=1)
        await studio.delete_deforum(await studio.generating())
        await studio.until(job_id, lambda state: state.attempt == 2)
        studio.webui.speed(0.0)
        await studio.executed(job_id)
    assert [run["outcome"] for run in studio.runs("deforum")] == ["interrupted", "success"]


async def test_a_job_beyond_its_deadline_is_stopped(studio: WebuiScene) -> None:
    studio.webui.speed(0.1)
    async with studio.executor():
        job_id = await studio.job(scripted(num_frames=200), stills=1, deadline_s=1)
        assert await studio.code(job_id) is C.GENERATION_TIMEOUT
    assert [run["outcome"] for run in studio.runs("deforum")] == ["interrupted"]


async def test_a_batch_taken_without_an_answer_runs_once(studio: WebuiScene) -> None:
    studio.webui.order({"kind": "drop_submit", "times": 1})
    async with studio.executor():
        state = await studio.executed(await studio.job(scripted(), stills=1))
    assert state.attempt == 1
    assert len(studio.webui.journal("accepted")) == 1


async def test_a_batch_that_is_never_taken_is_given_up_after_bounded_attempts(
    studio: WebuiScene,
) -> None:
    studio.webui.order({"kind": "http", "path": "/deforum_api/batches", "status": 500})
    async with studio.executor(max_attempts=2, deforum_find_s=0.2):
        job_id = await studio.job(scripted(), stills=1)
        assert await studio.code(job_id) is C.ENGINE_LOST
    assert (await studio.told(job_id)).count("step_ready") == 2
    assert studio.webui.journal("accepted") == []


async def test_a_batch_lost_with_a_restart_is_run_again_and_counted(studio: WebuiScene) -> None:
    studio.webui.speed(0.4)
    async with studio.executor():
        job_id = await studio.job(scripted(num_frames=16), stills=1)
        await studio.generating()
        await studio.until(job_id, started(1))
        studio.webui.process.kill()
        studio.webui.process.wait(10)
        with start_webui(studio.webui.state, port=studio.webui.port) as again:
            state = await studio.executed(job_id, within_s=60)
            assert len(again.journal("finished", outcome="success")) == 1
    assert state.attempt == 2


async def test_deforum_that_is_switched_off_and_on_needs_no_restart(studio: WebuiScene) -> None:
    studio.webui.install(deforum=False)
    async with studio.executor():
        seen = await studio.on_board()
        assert "webui-deforum" not in seen.lanes
        job_id = await studio.job(scripted(), stills=1)
        studio.webui.install(deforum=True)
        state = await studio.executed(job_id)
        assert state.attempt == 1

        async def open_lanes() -> bool:
            return "webui-deforum" in (await studio.on_board()).lanes

        await eventually(open_lanes)
