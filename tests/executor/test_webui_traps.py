"""Stills and AnimateDiff: every way in which the server reports success for a failed run, or is
broken by one, ends the job with the right error and never as completed."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import ErrorCode
from contracts.stages import WebuiStage
from tests.executor.webui_scene import WebuiScene, animated, img2img, txt2img, upscale

C = ErrorCode


@pytest.mark.parametrize(
    ("fault", "config", "code"),
    [
        ("silent_fallback", animated(), C.NOT_ANIMATED),
        ("short_frames", animated(), C.FRAMES_MISSING),
        ("corrupt_frames", animated(), C.RESULT_INVALID),
        ("garbled_info", animated(), C.RESULT_INVALID),
        ("error", animated(), C.ENGINE_FAILED),
        ("short_frames", img2img(count=3), C.FRAMES_MISSING),
        ("corrupt_frames", img2img(), C.RESULT_INVALID),
        ("garbled_info", img2img(), C.RESULT_INVALID),
        ("error", img2img(), C.ENGINE_FAILED),
        ("silent_fallback", upscale(), C.RESULT_INVALID),
        ("error", upscale(), C.ENGINE_FAILED),
    ],
)
async def test_a_success_that_is_none_fails_the_job(
    studio: WebuiScene, fault: str, config: WebuiStage, code: ErrorCode
) -> None:
    studio.webui.order({"kind": fault})
    async with studio.executor():
        job_id = await studio.job(config, stills=1)
        assert await studio.code(job_id) is code
    told = await studio.told(job_id)
    assert "step_finished" not in told
    assert told.count("step_ready") == 1


@pytest.mark.parametrize(
    ("config", "stills"),
    [
        (animated(prompt="0: a lake\n99: a hill"), 1),
        (animated({"context_frames": 32}), 1),
        (animated({"overlap": 31}), 1),
        (animated(), 2),
        (animated(), 0),
        (img2img(), 2),
        (txt2img(), 1),
    ],
)
async def test_what_would_mislead_or_poison_the_engine_is_never_sent(
    studio: WebuiScene, config: WebuiStage, stills: int
) -> None:
    async with studio.executor():
        job_id = await studio.job(config, stills=stills)
        assert await studio.code(job_id) is C.WORKFLOW_BINDING_FAILED
    assert studio.webui.journal("accepted") == []
    assert not studio.webui.poisoned


async def test_an_argument_that_the_extension_does_not_show_is_never_sent(
    studio: WebuiScene,
) -> None:
    studio.webui.install(freeinit=False)
    async with studio.executor():
        job_id = await studio.job(animated({"freeinit": {}}), stills=1)
        failed = await studio.failure(job_id)
    assert failed.error.code is C.WORKFLOW_BINDING_FAILED
    assert "freeinit" in (failed.error.detail or "")
    assert studio.webui.journal("accepted") == []


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (animated({"motion_model": "mm_absent.ckpt"}), "mm_absent.ckpt"),
        (upscale(upscaler="Absent 4x"), "Absent 4x"),
        (img2img(checkpoint="absent.safetensors"), "absent.safetensors"),
    ],
)
async def test_what_the_engine_has_not_is_never_replaced_silently(
    studio: WebuiScene, config: WebuiStage, named: str
) -> None:
    async with studio.executor():
        failed = await studio.failure(await studio.job(config, stills=1))
    assert failed.error.code is C.ENGINE_LACKS_PART
    assert named in (failed.error.detail or "")
    assert studio.webui.journal("accepted") == []


async def test_an_unknown_sampler_is_refused_with_the_engines_words(studio: WebuiScene) -> None:
    async with studio.executor():
        failed = await studio.failure(await studio.job(txt2img(sampler="absent")))
    assert failed.error.code is C.ENGINE_REFUSED
    assert "Sampler not found" in (failed.error.detail or "")


async def test_other_pictures_than_the_plan_says_fail_the_job(studio: WebuiScene) -> None:
    async with studio.executor():
        failed = await studio.failure(await studio.job(txt2img(count=2), expected=3))
    assert failed.error.code is C.RESULT_INVALID
    assert "2 pictures of 3" in (failed.error.detail or "")


@pytest.mark.parametrize(("times", "code"), [(1, None), (5, C.ENGINE_OUT_OF_MEMORY)])
async def test_out_of_memory_is_tried_once_more(
    studio: WebuiScene, times: int, code: ErrorCode | None
) -> None:
    studio.webui.order({"kind": "oom", "times": times})
    async with studio.executor():
        job_id = await studio.job(txt2img())
        if code is None:
            assert (await studio.executed(job_id)).attempt == 2
        else:
            assert await studio.code(job_id) is code
    assert len(studio.runs("txt2img")) == 2


async def test_a_run_beyond_its_deadline_is_interrupted(studio: WebuiScene) -> None:
    studio.webui.speed(0.1)
    async with studio.executor():
        job_id = await studio.job(txt2img(steps=100), deadline_s=1)
        assert await studio.code(job_id) is C.GENERATION_TIMEOUT
        await studio.idle()
    assert [run["outcome"] for run in studio.runs("txt2img")] == ["interrupted"]


async def test_an_interrupt_from_outside_is_seen_though_the_server_answers_200(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.1)
    async with studio.executor():
        job_id = await studio.job(animated(steps=100), stills=1)
        await studio.until(job_id, lambda state: state.started)
        studio.webui.interrupt()
        await studio.until(job_id, lambda state: state.attempt == 2)
        studio.webui.speed(0.0)
        await studio.executed(job_id)
    assert [run["outcome"] for run in studio.runs("img2img")] == ["interrupted", "success"]
    assert await studio.counters(job_id) == list(range(6))


async def _poisoned(studio: WebuiScene) -> None:
    poison = {"enable": True, "format": ["Frame"]}
    body: dict[str, Any] = {
        "steps": 1,
        "width": 64,
        "height": 64,
        "alwayson_scripts": {"AnimateDiff": {"args": [poison]}},
    }
    await studio.post("/sdapi/v1/txt2img", body, status=500)
    assert studio.webui.poisoned


async def test_an_engine_that_a_stranger_poisoned_is_healed_and_the_attempt_counted(
    studio: WebuiScene,
) -> None:
    await _poisoned(studio)
    async with studio.executor():
        job_id = await studio.job(txt2img())
        state = await studio.executed(job_id)
    assert state.attempt == 2
    assert await studio.counters(job_id) == [0]
    assert not studio.webui.poisoned


async def test_an_engine_that_stays_poisoned_fails_the_job_by_name(studio: WebuiScene) -> None:
    await _poisoned(studio)
    studio.webui.install(motion_models=[])
    async with studio.executor(max_attempts=2):
        assert await studio.code(await studio.job(txt2img())) is C.ENGINE_POISONED
    assert [run["outcome"] for run in studio.runs("txt2img")] == ["error"] * 3


async def test_an_answer_that_was_lost_is_run_again_and_counted(studio: WebuiScene) -> None:
    studio.webui.order({"kind": "drop", "where": "txt2img", "times": 1})
    async with studio.executor():
        job_id = await studio.job(txt2img())
        state = await studio.executed(job_id)
    assert state.attempt == 2
    assert [run["delivered"] for run in studio.runs("txt2img")] == [False, True]


async def test_answers_that_are_lost_every_time_are_given_up(studio: WebuiScene) -> None:
    studio.webui.order({"kind": "drop", "where": "extras"})
    async with studio.executor(max_attempts=2):
        assert await studio.code(await studio.job(upscale(), stills=1)) is C.ENGINE_LOST
    assert [run["delivered"] for run in studio.runs("extras")] == [False, False]


async def test_a_request_that_was_never_sent_costs_no_attempt(studio: WebuiScene) -> None:
    busy = {"kind": "http", "path": "/sdapi/v1/txt2img", "status": 429, "times": 3}
    studio.webui.order(busy)
    async with studio.executor():
        job_id = await studio.job(txt2img())
        state = await studio.executed(job_id)
    assert state.attempt == 1
    assert len(studio.webui.journal("accepted")) == 1
