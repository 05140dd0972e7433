"""Composed stage chains: steps, sources, keys, deadlines, render orders; jobs without steps."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import events as e
from contracts import keys
from contracts.base import canonical_bytes
from contracts.plan import ExecutionReport, NormalizedJobRecord, RunPlan, WebuiStep
from contracts.stages import UpscaleStage, VideoFramesStage
from planning.binding import BindingFailed
from runtime.outcome import Ack
from runtime.stamp import stamp
from services.composer.composition import Composition, compose
from services.composer.handlers import on_media_prepared, on_retry_requested
from tests.composer.jobs import media_prepared, submitted
from tests.composer.test_composer import Stage, stage
from tests.planning.examples import (
    AUDIO,
    IMAGE,
    RENDER,
    SECOND_IMAGE,
    STILL,
    WORKFLOWS,
    animate,
    frames,
    motion_clip,
)

__all__ = ["stage"]
STILLS_ONLY = motion_clip(still_asset_ids=(IMAGE, SECOND_IMAGE), prompt="")


def _composed(*stages: dict[str, Any], **changes: Any) -> Composition:
    job = submitted(motion_clip(*stages, **changes))
    return compose(job, media_prepared(job), WORKFLOWS)


def _steps(made: Composition) -> tuple[WebuiStep, ...]:
    assert all(isinstance(step, WebuiStep) for step in made.run_plan.steps)
    return tuple(step for step in made.run_plan.steps if isinstance(step, WebuiStep))


@pytest.mark.parametrize(
    ("backend", "lane"), [("animatediff", "webui-animatediff"), ("deforum", "webui-deforum")]
)
def test_frames_start_from_the_still_of_the_step_before(backend: str, lane: str) -> None:
    made = _composed(STILL, frames(backend, num_frames=16, fps=8), {**RENDER, "container": "webm"})
    still, video = _steps(made)
    assert (still.lane, still.from_step, still.pictures, still.expected_pictures) == (
        "webui-stills",
        None,
        (),
        1,
    )
    assert (video.lane, video.from_step, video.pictures) == (lane, 0, ())
    assert isinstance(video.config, VideoFramesStage)
    assert (video.index, video.stage, video.segment, video.expected_pictures) == (1, 1, 0, 16)
    job_id = made.run_plan.job_id
    assert video.output_key_prefix == f"jobs/{job_id}/steps/1"
    order = made.run_plan.render
    assert order is not None
    assert (order.source, order.from_step, order.pictures) == ("frames", 1, ())
    assert order.frames_key_prefix == f"jobs/{job_id}/outputs/frames"
    assert order.output_key == made.run_plan.delivery.video_key
    assert order.output_key == f"jobs/{job_id}/outputs/video.webm"
    assert made.run_plan.delivery.frame.frames == 16


def test_a_picture_that_is_attached_is_where_the_first_step_starts() -> None:
    job = submitted(motion_clip({"kind": "img2img"}, RENDER, ground_truth_asset_id=IMAGE))
    prepared = media_prepared(job)
    still = _steps(compose(job, prepared, WORKFLOWS))[0]
    assert still.pictures == (prepared.prepared[0].file,)


def test_attached_stills_are_enlarged_in_their_order_and_rendered() -> None:
    request = motion_clip(
        {"kind": "upscale"}, RENDER, still_asset_ids=(IMAGE, SECOND_IMAGE), prompt=""
    )
    job = submitted(request)
    prepared = media_prepared(job)
    shuffled = prepared.model_copy(update={"prepared": prepared.prepared[::-1]})
    made = compose(job, shuffled, WORKFLOWS)
    (step,) = _steps(made)
    assert isinstance(step.config, UpscaleStage)
    assert step.pictures == tuple(p.file for p in prepared.prepared)
    assert step.expected_pictures == 2
    assert made.run_plan.render is not None
    assert (made.run_plan.render.source, made.run_plan.render.from_step) == ("stills", 0)


def test_attached_stills_alone_need_no_step_at_all() -> None:
    made = _composed(
        still_asset_ids=(IMAGE, SECOND_IMAGE), prompt="", render={"audio_asset_id": AUDIO}
    )
    assert made.run_plan.steps == ()
    order = made.run_plan.render
    assert order is not None
    assert (order.source, order.from_step, len(order.pictures)) == ("stills", None, 2)
    assert made.run_plan.delivery.soundtrack is not None


def test_a_clip_of_a_workflow_is_what_is_rendered() -> None:
    job = submitted(animate(render={"container": "gif", "output_name": "dance"}))
    run_plan = compose(job, media_prepared(job), WORKFLOWS).run_plan
    assert len(run_plan.comfy_steps) == len(run_plan.steps) == 1
    assert run_plan.render is not None
    assert (run_plan.render.source, run_plan.render.from_step) == ("clip", None)
    assert run_plan.delivery.video_key.endswith("/outputs/dance.gif")
    assert run_plan.delivery.soundtrack is None


def test_a_job_without_video_render_has_no_render_order() -> None:
    job = submitted(animate())
    assert compose(job, media_prepared(job), WORKFLOWS).run_plan.render is None


def test_the_same_chain_composes_to_the_same_bytes_and_reads_back() -> None:
    job = submitted(motion_clip(STILL, frames("deforum", seed_mode="random"), RENDER))
    prepared = media_prepared(job)
    one, other = (compose(job, prepared, WORKFLOWS) for _ in range(2))
    assert dict(one.files) == dict(other.files)
    read = RunPlan.model_validate_json(one.files[one.run_plan_file.key])
    assert canonical_bytes(read) == canonical_bytes(one.run_plan)


def test_the_record_says_of_every_value_where_it_came_from() -> None:
    made = _composed(prompt="", prompt_pack="forest_walk", render={"crf": 22})
    record = NormalizedJobRecord.model_validate_json(made.files[made.run_plan.record.key])
    assert record.prompt_pack is not None
    assert record.origins["stages.2.crf"] == "request"
    assert record.origins["stages.1.num_frames"] == "pack"
    assert record.origins["stages.0.steps"] == "default"


def test_the_deadline_grows_with_pictures_steps_and_guidance() -> None:
    def seconds(**changes: Any) -> int:
        return _steps(_composed(STILL, frames(**changes), RENDER))[1].deadline_s

    usual = seconds(num_frames=16, cfg=7)
    assert usual > 1800
    assert seconds(num_frames=64, cfg=7) > usual
    assert seconds(num_frames=16, steps=100, cfg=7) > usual
    assert seconds(num_frames=16, cfg=1) < usual


def test_media_that_do_not_fit_the_chain_are_refused() -> None:
    job = submitted(motion_clip(frames(), RENDER, still_asset_ids=(IMAGE,)))
    plan = job.plan.model_copy(update={"media": ()})
    job = job.model_copy(update={"plan": plan})
    with pytest.raises(BindingFailed, match="is given 0 pictures"):
        compose(job, media_prepared(job), WORKFLOWS)


async def test_a_job_without_steps_is_executed_once_it_is_composed(stage: Stage) -> None:
    job, prepared = await stage.job(STILLS_ONLY)
    for _ in range(2):
        assert await on_media_prepared(prepared, stage.deps) == Ack()
    events = (await stage.bus["composer"].job(job.job_id)).events
    assert [event.event for event in events[2:]] == ["job_composed", "execution_finished"]
    finished = events[-1]
    assert isinstance(finished, e.ExecutionFinished)
    assert finished.causation_id == prepared.event_id
    data = await stage.media.read_bytes(finished.report.key)
    report = ExecutionReport.model_validate_json(data)
    composed = events[2]
    assert isinstance(composed, e.JobComposed)
    assert (report.results, report.run_plan) == ((), composed.run_plan)


async def test_a_failed_job_without_steps_is_finished_again_in_its_next_attempt(
    stage: Stage,
) -> None:
    job, prepared = await stage.job(STILLS_ONLY)
    await on_media_prepared(prepared, stage.deps)
    await stage.fail(job.job_id, "collector")
    again = await stage.retry(job)
    for _ in range(2):
        assert await on_retry_requested(again, stage.deps) == Ack()
    events = (await stage.bus["composer"].job(job.job_id)).events
    finished = [x for x in events if isinstance(x, e.ExecutionFinished)]
    assert [x.attempt for x in finished] == [1, 2]
    assert finished[1].report.key == keys.execution_report(job.job_id, 2)


async def test_a_cancelled_job_without_steps_is_not_executed(stage: Stage) -> None:
    job, prepared = await stage.job(STILLS_ONLY)
    wish = e.CancelRequested(**stamp(None), job_id=job.job_id, requested_by="local")
    await stage.bus["gateway"].publish(wish)
    await on_media_prepared(prepared, stage.deps)
    assert (await stage.names(job.job_id))[-1] == "job_cancelled"
