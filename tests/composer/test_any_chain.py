"""Whatever chain is asked for is planned or refused in sentences, and what is planned composes."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.engines import AnimateDiffCapability, DeforumCapability
from contracts.events import JobSubmitted, MediaPrepared
from contracts.plan import JobPlan, RunPlan, WebuiStep
from contracts.stages import VideoFramesStage
from planning.planner import Refusal, plan
from runtime.ids import new_id
from services.composer.composition import compose
from tests.composer.jobs import SUBMITTED_AT
from tests.planning.examples import (
    AUDIO,
    IMAGE,
    SECOND_IMAGE,
    SEED,
    WORKFLOWS,
    known,
    motion_clip,
    planned,
    prepare,
    webui,
)


def _some(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A stage of a kind with any of its fields."""
    return st.fixed_dictionaries({"kind": st.just(kind)}, optional=fields)


DRAWING: dict[str, st.SearchStrategy[Any]] = {
    "steps": st.integers(1, 150),
    "cfg": st.sampled_from([0, 1, 1.5, 7, 30]),
    "sampler": st.sampled_from(["Euler a", "LMS"]),
    "checkpoint": st.sampled_from(["sd15.safetensors", "gone.ckpt"]),
}
ANIMATEDIFF = st.fixed_dictionaries(
    {},
    optional={
        "motion_model": st.sampled_from(["mm_a.safetensors", "gone"]),
        "context_frames": st.integers(1, 32),
        "overlap": st.integers(-1, 31),
        "closed_loop": st.sampled_from(["N", "A"]),
        "freeinit": st.just({}),
        "latent_ramp": st.just({"power": 2}),
    },
)
DEFORUM = st.fixed_dictionaries(
    {},
    optional={
        "animation_mode": st.sampled_from(["2D", "3D"]),
        "schedules": st.just({"zoom": "0: (1.02)"}),
    },
)
FRAMES = _some(
    "video_frames",
    **DRAWING,
    backend=st.sampled_from(["webui_animatediff", "webui_deforum"]),
    num_frames=st.integers(2, 1024),
    fps=st.integers(1, 60),
    seed_mode=st.sampled_from(["inherit", "fixed", "random"]),
    seed=st.integers(0, 2**32 - 1),
    strength=st.sampled_from([0, 0.3, 1]),
    backend_params=st.fixed_dictionaries(
        {}, optional={"animatediff": ANIMATEDIFF, "deforum": DEFORUM}
    ),
)
RENDER = _some(
    "video_render",
    container=st.sampled_from(["mp4", "webm", "gif"]),
    crf=st.integers(1, 63),
    preset=st.just("fast"),
    keep_frames=st.booleans(),
    fps=st.integers(1, 60),
    seconds_per_still=st.sampled_from([0.1, 0.37, 2, 60]),
    camera_motion=st.sampled_from(["none", "zoom", "pan"]),
    audio_asset_id=st.just(AUDIO),
)
MAKER = st.one_of(
    _some("txt2img", **DRAWING, count=st.integers(1, 24)),
    _some("img2img", **DRAWING, strength=st.just(0.4)),
)
UPSCALE = _some("upscale", factor=st.sampled_from([1.5, 2, 2.5, 4]))
STAGES = st.one_of(
    st.lists(st.one_of(MAKER, UPSCALE, FRAMES, RENDER), max_size=4),
    st.tuples(MAKER, FRAMES, RENDER),
    st.tuples(MAKER, UPSCALE, RENDER),
)
REST = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.sampled_from(["", "a lake", "0: a\n6: b", "9: late", "x `y`"]),
        "negative_prompt": st.just("blur"),
        "prompt_pack": st.sampled_from(["lake_dawn", "paper_city", "forest_walk", "gone"]),
        "still_asset_ids": st.sampled_from([(IMAGE,), (IMAGE, SECOND_IMAGE), ("?",)]),
        "ground_truth_asset_id": st.just(IMAGE),
        "seed": st.sampled_from([0, 2**40]),
        "quality_profile": st.sampled_from(["draft", "high"]),
        "keywords": st.just(("mist",)),
        "render": st.just({"crf": 20}),
    },
)


def _frames_of(own: str, params: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A video_frames stage of one backend with parameters that fit it."""
    stage = _some(
        "video_frames",
        **PLAIN,
        num_frames=st.integers(24, 1024),
        fps=st.integers(8, 50),
        seed_mode=st.sampled_from(["inherit", "random"]),
        backend_params=st.fixed_dictionaries({own: params}),
    )
    return stage.map(lambda said: {**said, "backend": f"webui_{own}"})


PLAIN = {"steps": DRAWING["steps"], "cfg": st.sampled_from([1.5, 7, 30])}
FITTING_FRAMES = st.one_of(
    _frames_of("animatediff", st.sampled_from([{}, {"context_frames": 24}, {"latent_ramp": {}}])),
    _frames_of("deforum", DEFORUM),
)
FITTING_RENDER = _some(
    "video_render",
    container=st.sampled_from(["mp4", "webm", "gif"]),
    keep_frames=st.booleans(),
    output_name=st.just("lake"),
)
OF_STILLS = st.fixed_dictionaries(
    {},
    optional={
        "fps": st.integers(1, 50),
        "seconds_per_still": st.sampled_from([0.1, 0.37, 2, 10]),
        "camera_motion": st.sampled_from(["none", "zoom", "pan"]),
    },
)
STILLS_RENDER = st.tuples(FITTING_RENDER, OF_STILLS).map(lambda parts: {**parts[0], **parts[1]})
TXT2IMG = _some("txt2img", **PLAIN, count=st.integers(1, 24))
FITTING = st.one_of(
    st.tuples(_some("txt2img", **PLAIN), FITTING_FRAMES, FITTING_RENDER),
    st.tuples(TXT2IMG, UPSCALE, STILLS_RENDER),
    st.tuples(TXT2IMG, STILLS_RENDER),
)
NO_EXTENSIONS = webui(
    animatediff=AnimateDiffCapability(missing=("The AnimateDiff extension is not loaded.",)),
    deforum=DeforumCapability(missing=("The Deforum API is not there.",)),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stages=STAGES | st.none(), rest=REST, there=st.booleans())
def test_any_chain_is_refused_in_sentences_or_composes(
    stages: list[dict[str, Any]] | None, rest: dict[str, Any], there: bool
) -> None:
    asked = motion_clip(**({"stages": stages} if stages is not None else {}), **rest)
    made = plan(asked, known(), WORKFLOWS, (webui(),) if there else (), SEED)
    if isinstance(made, JobPlan):
        _check(made)
        return
    assert made.errors
    assert all(error.sentence and error.remedy for error in made.errors)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stages=FITTING)
def test_a_fitting_chain_composes_and_without_the_extension_another_is_offered_that_does(
    stages: tuple[dict[str, Any], ...],
) -> None:
    asked = motion_clip(*stages)
    _check(planned(asked, engines=(webui(),)))
    if stages[1]["kind"] != "video_frames":
        return
    refusal = plan(asked, known(), WORKFLOWS, (NO_EXTENSIONS,), SEED)
    assert isinstance(refusal, Refusal)
    offered = refusal.fallback
    assert offered is not None
    assert planned(offered.request, engines=(NO_EXTENSIONS,)) == offered.plan
    _check(offered.plan)


def _check(made: JobPlan) -> None:
    """The plan composes, and its run plan delivers what the plan promises."""
    job = JobSubmitted(
        event_id=new_id(), occurred_at=SUBMITTED_AT, job_id=new_id(), owner="local", plan=made
    )
    prepared = MediaPrepared(
        event_id=new_id(),
        occurred_at=SUBMITTED_AT,
        job_id=job.job_id,
        prepared=tuple(prepare(order) for order in made.media),
    )
    composed = compose(job, prepared, WORKFLOWS)
    run_plan = composed.run_plan
    assert RunPlan.model_validate_json(composed.files[composed.run_plan_file.key]) == run_plan
    order = run_plan.render
    assert order is not None
    last = run_plan.steps[-1] if run_plan.steps else None
    pictures = last.expected_pictures if isinstance(last, WebuiStep) else len(order.pictures)
    frame = run_plan.delivery.frame
    if order.source == "frames":
        assert frame.frames == pictures
        assert isinstance(last, WebuiStep)
        assert isinstance(last.config, VideoFramesStage)
        assert frame.fps == last.config.fps
    else:
        assert frame.frames % pictures == 0
    assert (run_plan.delivery.soundtrack is None) == (order.config.audio_role is None)
