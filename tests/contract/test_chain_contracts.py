"""The contracts of stage chains: what is closed, what old payloads mean, what must fit an event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import events as e
from contracts.base import canonical_bytes
from contracts.lifecycle import fold
from contracts.media import PreparedMedia
from contracts.plan import Delivery, Frame, PictureIndex, RenderOrder, RunPlan, Step, WebuiStep
from contracts.stages import (
    MOST_STILLS,
    AnimateDiffParams,
    BackendParams,
    DeforumParams,
    FreeInitParams,
    LatentRampParams,
    Txt2ImgStage,
    VideoFramesStage,
    VideoRenderStage,
)
from engines.webui import AnimateDiffSettings, DeforumSettings, FreeInit, LatentRamp
from tests.support.examples import IMAGE_FACTS, JOB, every_event, head, prepared, stored, whole_job

SAMPLING: dict[str, Any] = {
    "prompt": "a lake",
    "negative_prompt": "",
    "seed": 7,
    "sampler": "Euler a",
    "steps": 20,
    "cfg": 7.0,
    "width_px": 512,
    "height_px": 768,
}
FRAMES: dict[str, Any] = {
    **SAMPLING,
    "num_frames": 24,
    "fps": 12,
    "seed_mode": "inherit",
    "strength": 0.55,
}
ANIMATEDIFF = BackendParams(animatediff=AnimateDiffParams(motion_model="mm.safetensors"))
DEFORUM = BackendParams(deforum=DeforumParams(prompts={0: "a lake"}, strength=0.45))


def _delivery() -> Delivery:
    return Delivery(
        frame=Frame(width_px=512, height_px=768, fps=12, frames=24),
        video_key="o/video.webm",
        poster_key="o/poster.jpg",
        first_frame_key="o/first.jpg",
        preview_key="o/preview.webp",
        manifest_key="o/manifest.json",
        debug_metadata_key="o/debug.json",
    )


def _plan(*steps: Step | WebuiStep) -> RunPlan:
    order = RenderOrder(
        config=VideoRenderStage(container="webm", codec="libvpx-vp9", fps=12),
        source="frames",
        from_step=1,
        frames_key_prefix="o/frames",
        output_key="o/video.webm",
    )
    return RunPlan(job_id=JOB, record=stored(), steps=steps, render=order, delivery=_delivery())


def _still() -> WebuiStep:
    return WebuiStep(
        index=0,
        stage=0,
        lane="webui-stills",
        config=Txt2ImgStage(**SAMPLING),
        output_key_prefix="jobs/x/steps/0",
        expected_pictures=1,
        deadline_s=600,
    )


def test_a_step_that_says_no_kind_is_one_for_comfyui() -> None:
    step = {
        "index": 0,
        "stage": 0,
        "segment": 0,
        "lane": "comfyui-animate-fp8",
        "graph": stored().model_dump(),
        "uploads": [],
        "slots": [],
        "outputs": [{"name": "video", "node": "save", "media": "video"}],
        "output_key_prefix": "jobs/x/steps/0",
        "expected_frames": 77,
        "deadline_s": 60,
    }
    plan = json.loads(_plan().model_dump_json()) | {"steps": [step]}
    read = RunPlan.model_validate_json(json.dumps(plan))
    assert isinstance(read.steps[0], Step)
    assert read.comfy_steps == read.steps


def test_a_run_plan_of_webui_steps_reads_back_as_it_was_written() -> None:
    frames = VideoFramesStage(backend="webui_deforum", **FRAMES, backend_params=DEFORUM)
    video = _still().model_copy(
        update={"index": 1, "config": frames, "from_step": 0, "expected_pictures": 24}
    )
    plan = _plan(_still(), video)
    assert RunPlan.model_validate_json(canonical_bytes(plan)) == plan
    assert plan.comfy_steps == ()


def test_a_step_of_an_unknown_kind_is_refused() -> None:
    plan = json.loads(_plan(_still()).model_dump_json())
    plan["steps"][0]["kind"] = "blender"
    with pytest.raises(ValidationError, match="blender"):
        RunPlan.model_validate(plan)


@pytest.mark.parametrize(
    ("backend", "params"),
    [
        ("webui_animatediff", DEFORUM),
        ("webui_deforum", ANIMATEDIFF),
        ("webui_deforum", BackendParams()),
        (
            "webui_deforum",
            BackendParams(animatediff=ANIMATEDIFF.animatediff, deforum=DEFORUM.deforum),
        ),
    ],
    ids=["deforum's", "animatediff's", "none", "both"],
)
def test_frames_take_the_parameters_of_their_own_backend_only(
    backend: str, params: BackendParams
) -> None:
    with pytest.raises(ValidationError, match=backend):
        VideoFramesStage(backend=backend, **FRAMES, backend_params=params)


@given(
    st.builds(
        AnimateDiffParams,
        motion_model=st.just("mm.safetensors"),
        context_frames=st.none() | st.integers(1, 24),
        overlap=st.just(-1),
        freeinit=st.none() | st.builds(FreeInitParams),
        latent_ramp=st.none() | st.builds(LatentRampParams),
    )
)
def test_whatever_animatediff_parameters_the_contract_takes_the_client_sends(
    params: AnimateDiffParams,
) -> None:
    freeinit = FreeInit(**params.freeinit.model_dump()) if params.freeinit else None
    first = LatentRamp(**params.latent_ramp.model_dump()) if params.latent_ramp else None
    AnimateDiffSettings(
        model=params.motion_model,
        frames=24,
        context_frames=params.context_frames,
        closed_loop=params.closed_loop,
        stride=params.stride,
        overlap=params.overlap,
        freeinit=freeinit,
        first=first,
    )


@given(st.builds(DeforumParams, prompts=st.just({0: "a lake"})))
def test_whatever_deforum_parameters_the_contract_takes_the_client_sends(
    params: DeforumParams,
) -> None:
    DeforumSettings(
        batch_name="job-0001",
        prompts=params.prompts,
        max_frames=24,
        fps=12,
        seed=7,
        seed_behavior=params.seed_behavior,
        animation_mode=params.animation_mode,
        strength=params.strength,
        schedules={str(name): text for name, text in params.schedules.items()},
    )


@pytest.mark.parametrize("text", ["__import__('os')", "0: (x)", "0: 1.02", "", "0: (1), (2)"])
def test_a_schedule_holds_numbers_and_nothing_that_could_be_run(text: str) -> None:
    with pytest.raises(ValidationError):
        DeforumParams(prompts={0: "a"}, strength=0.5, schedules={"zoom": text})


def test_hundreds_of_frames_need_an_index_and_the_most_stills_still_fit_an_event() -> None:
    index = PictureIndex(pictures=(stored(),) * 1024, width_px=512, height_px=768)
    assert len(canonical_bytes(index)) > e.MAX_EVENT_BYTES
    one = prepared()[0].model_copy(update={"role": "still", "facts": IMAGE_FACTS})
    many: tuple[PreparedMedia, ...] = (one,) * MOST_STILLS
    assert e.encode_event(e.MediaPrepared(**head(1), job_id=JOB, prepared=many))


def test_a_job_without_steps_goes_from_composed_straight_to_collecting() -> None:
    submitted, ready_media = whole_job()[:2]
    composed = e.JobComposed(**head(3), job_id=JOB, record=stored(), run_plan=stored(), steps=0)
    finished = e.ExecutionFinished(**head(4), job_id=JOB, attempt=1, report=stored())
    state = fold(JOB, [submitted, ready_media, composed, finished])
    assert (state.state, state.execution) == ("collecting_outputs", finished)
    failed = next(x for x in every_event() if isinstance(x, e.JobFailed))
    again = e.RetryRequested(**head(6), job_id=JOB, requested_by="local", attempt=2)
    second = finished.model_copy(update={"attempt": 2})
    state = fold(JOB, [submitted, ready_media, composed, finished, failed, again, second])
    assert (state.state, state.attempt) == ("collecting_outputs", 2)
