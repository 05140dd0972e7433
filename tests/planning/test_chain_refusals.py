"""Chains that fit together and still cannot be: settings, prompts, assets, capabilities."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.engines import AnimateDiffCapability, DeforumCapability
from contracts.errors import ErrorCode as C
from contracts.plan import JobPlan
from planning.planner import Refusal, plan
from planning.requests import MotionClipRequest
from planning.webui_matching import motion_clip_availability
from tests.planning.examples import (
    ANIMATEDIFF_KEYS,
    AUDIO,
    IMAGE,
    RENDER,
    SEED,
    STILL,
    WORKFLOWS,
    animate,
    frames,
    known,
    motion_clip,
    refused,
    webui,
)

UNLOADED = AnimateDiffCapability(missing=("The AnimateDiff extension is not loaded.",))
NO_ANIMATEDIFF = webui(animatediff=UNLOADED)
NO_DEFORUM = webui(deforum=DeforumCapability(missing=("The Deforum API is not there.",)))


def _gif(**more: Any) -> dict[str, Any]:
    return {**RENDER, "container": "gif", **more}


CASES: list[tuple[MotionClipRequest, C, str]] = [
    (motion_clip(STILL, RENDER, prompt=" "), C.PROMPT_MISSING, "prompt"),
    (motion_clip(STILL, RENDER, prompt="x" * 2001), C.PROMPT_TOO_LONG, "prompt"),
    (
        motion_clip({**STILL, "cfg": 1}, RENDER, negative_prompt="blur"),
        C.NEGATIVE_PROMPT_UNUSED,
        "negative_prompt",
    ),
    (motion_clip({"kind": "img2img"}, RENDER), C.GROUND_TRUTH_MISSING, "ground_truth_asset_id"),
    (
        motion_clip(STILL, RENDER, ground_truth_asset_id=IMAGE),
        C.ASSET_UNUSED_IN_MODE,
        "ground_truth_asset_id",
    ),
    (motion_clip(still_asset_ids=(AUDIO,)), C.ASSET_WRONG_KIND, "still_asset_ids[0]"),
    (motion_clip(still_asset_ids=(IMAGE,) * 25), C.TOO_MANY_ASSETS, "still_asset_ids"),
    (motion_clip(still_asset_ids=(IMAGE,), keywords=("a",)), C.SETTING_UNAVAILABLE, "keywords"),
    (motion_clip(STILL, RENDER, seed=2**33), C.SETTINGS_CONFLICT, "seed"),
    (motion_clip(STILL, RENDER, aspect_ratio="4:3"), C.ASPECT_RATIO_UNSUPPORTED, "aspect_ratio"),
    (
        motion_clip(STILL, RENDER, duration_override_seconds=3),
        C.SETTING_UNAVAILABLE,
        "duration_override_seconds",
    ),
    (motion_clip(STILL, frames(seed=3), RENDER), C.SETTINGS_CONFLICT, "stages[1].seed"),
    (
        motion_clip(STILL, frames(seed_mode="fixed"), RENDER),
        C.SETTINGS_CONFLICT,
        "stages[1].seed",
    ),
    (
        motion_clip(STILL, frames(backend_params={"deforum": {}}), RENDER),
        C.SETTINGS_CONFLICT,
        "stages[1].backend_params.deforum",
    ),
    (
        motion_clip(STILL, frames("deforum", backend_params={"animatediff": {}}), RENDER),
        C.SETTINGS_CONFLICT,
        "stages[1].backend_params.animatediff",
    ),
    (
        motion_clip(
            STILL,
            frames(num_frames=8, backend_params={"animatediff": {"context_frames": 16}}),
            RENDER,
        ),
        C.SETTINGS_CONFLICT,
        "stages[1].backend_params.animatediff.context_frames",
    ),
    (
        motion_clip(STILL, frames(backend_params={"animatediff": {"overlap": 16}}), RENDER),
        C.SETTINGS_CONFLICT,
        "stages[1].backend_params.animatediff.overlap",
    ),
    (
        motion_clip(STILL, frames(num_frames=8), RENDER, prompt="0: a\n8: b"),
        C.SETTINGS_CONFLICT,
        "prompt",
    ),
    (motion_clip(STILL, frames(), RENDER, prompt="4: a\n8: b"), C.SETTINGS_CONFLICT, "prompt"),
    (
        motion_clip(STILL, frames("deforum"), RENDER, prompt="a `print(1)`"),
        C.SETTINGS_CONFLICT,
        "prompt",
    ),
    (
        motion_clip(STILL, frames("deforum"), RENDER, negative_prompt="x --neg y"),
        C.SETTINGS_CONFLICT,
        "prompt",
    ),
    (motion_clip(STILL, {**RENDER, "codec": "gif"}), C.SETTINGS_CONFLICT, "stages[1].codec"),
    (motion_clip(STILL, {**RENDER, "crf": 60}), C.SETTINGS_CONFLICT, "stages[1].crf"),
    (motion_clip(STILL, _gif(crf=20)), C.SETTING_UNAVAILABLE, "stages[1].crf"),
    (motion_clip(STILL, _gif(fps=60)), C.SETTINGS_CONFLICT, "stages[1].container"),
    (
        motion_clip(STILL, _gif(audio_asset_id=AUDIO)),
        C.SETTING_UNAVAILABLE,
        "stages[1].audio_asset_id",
    ),
    (
        motion_clip(STILL, {**RENDER, "container": "webm", "preset": "slow"}),
        C.SETTING_UNAVAILABLE,
        "stages[1].preset",
    ),
    (motion_clip(STILL, frames(), {**RENDER, "fps": 9}), C.SETTING_UNAVAILABLE, "stages[2].fps"),
    (
        motion_clip(STILL, frames(), {**RENDER, "camera_motion": "zoom"}),
        C.SETTING_UNAVAILABLE,
        "stages[2].camera_motion",
    ),
    (
        motion_clip({**STILL, "count": 24}, {**RENDER, "seconds_per_still": 30}),
        C.DURATION_TOO_LONG,
        "stages[1]",
    ),
    (
        motion_clip(STILL, RENDER, prompt="", prompt_pack="no_such_pack"),
        C.PROMPT_PACK_UNKNOWN,
        "prompt_pack",
    ),
]


@pytest.mark.parametrize(("request_", "code", "field"), CASES)
def test_a_fault_is_refused_with_its_code_and_field(
    request_: MotionClipRequest, code: C, field: str
) -> None:
    refusal = refused(request_, engines=(webui(),))
    assert (code, field) in [(e.code, e.field) for e in refusal.errors]
    assert all(e.sentence and e.remedy for e in refusal.errors)
    assert refusal.fallback is None


@pytest.mark.parametrize("field", ["fps", "seconds_per_still", "camera_motion", "audio_asset_id"])
def test_a_clip_of_a_workflow_takes_no_settings_of_stills(field: str) -> None:
    value: Any = {"fps": 8, "seconds_per_still": 1, "camera_motion": "pan"}.get(field, AUDIO)
    errors = refused(animate(render={field: value})).errors
    assert [(e.code, e.field) for e in errors] == [(C.SETTING_UNAVAILABLE, f"render.{field}")]


@pytest.mark.parametrize(
    "stage",
    [
        frames(fps=0),
        frames(num_frames=1),
        frames(backend_params={"animatediff": {"format": ["GIF"]}}),
        frames(backend_params={"animatediff": {"video_default": True}}),
        frames("deforum", backend_params={"deforum": {"animation_mode": "Video Input"}}),
        frames("deforum", backend_params={"deforum": {"schedules": {"zoom": "0: (os)"}}}),
        frames("deforum", backend_params={"deforum": {"diffusion_cadence": 2}}),
        {"kind": "upscale", "factor": 1.3},
    ],
)
def test_values_that_poison_or_mislead_an_engine_do_not_fit_the_request(
    stage: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        motion_clip(STILL, stage, RENDER)


@pytest.mark.parametrize(
    ("backend", "engine", "reason"),
    [
        ("animatediff", NO_ANIMATEDIFF, "The AnimateDiff extension is not loaded."),
        ("deforum", NO_DEFORUM, "The Deforum API is not there."),
    ],
)
def test_an_absent_backend_is_refused_with_the_reason_and_a_chain_a_that_can_be_sent(
    backend: str, engine: Any, reason: str
) -> None:
    asked = motion_clip(
        STILL, frames(backend, num_frames=30, fps=10), {**RENDER, "container": "webm"}, seed=3
    )
    refusal = refused(asked, engines=(engine,))
    assert [(e.code, e.field) for e in refusal.errors] == [(C.CAPABILITY_MISSING, "stages[1]")]
    assert reason in refusal.errors[0].sentence
    offered = refusal.fallback
    assert offered is not None
    assert [stage.kind for stage in offered.plan.stages] == ["txt2img", "video_render"]
    assert offered.plan.delivery.duration_s == 3.0
    sent = MotionClipRequest.model_validate_json(
        offered.request.model_dump_json(exclude_unset=True)
    )
    assert plan(sent, known(), WORKFLOWS, (engine,), SEED) == offered.plan


def test_nothing_is_offered_where_the_still_cannot_be_made_either() -> None:
    refusal = refused(motion_clip(STILL, frames(), RENDER), engines=())
    assert {e.code for e in refusal.errors} == {C.CAPABILITY_MISSING}
    assert "No WebUI is connected." in refusal.errors[0].sentence
    assert refusal.fallback is None


def test_an_attached_still_is_offered_as_a_slow_zoom_without_any_webui() -> None:
    refusal = refused(motion_clip(frames(), RENDER, still_asset_ids=(IMAGE,)), engines=())
    assert refusal.fallback is not None
    assert [s.kind for s in refusal.fallback.plan.stages] == ["video_render"]


def test_a_webui_that_never_answered_is_not_taken_for_able() -> None:
    silent = webui().model_copy(update={"webui": None})
    refusal = refused(motion_clip(STILL, RENDER), engines=(silent,))
    assert "has answered yet" in refusal.errors[0].sentence


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({**STILL, "checkpoint": "other.ckpt"}, "'other.ckpt' is not installed"),
        ({**STILL, "sampler": "LMS"}, "'LMS' is not there"),
        (
            frames(backend_params={"animatediff": {"motion_model": "mm_z"}}),
            "motion model 'mm_z' is not installed",
        ),
        (frames(backend_params={"animatediff": {"freeinit": {}}}), "no FreeInit"),
        ({"kind": "upscale", "upscaler": "None"}, "'None' is not installed"),
    ],
)
def test_what_no_webui_has_is_named(stage: dict[str, Any], words: str) -> None:
    chain = (stage, RENDER) if stage["kind"] == "txt2img" else (STILL, stage, RENDER)
    refusal = refused(motion_clip(*chain), engines=(webui(),))
    assert refusal.errors[0].code == C.CAPABILITY_MISSING
    assert words in refusal.errors[0].sentence


def test_of_several_webuis_one_that_can_is_enough_and_fills_what_was_left_open() -> None:
    made = plan(
        motion_clip(STILL, frames(), RENDER),
        known(),
        WORKFLOWS,
        (webui("webui-0", animatediff=UNLOADED), webui("webui-1")),
        SEED,
    )
    assert isinstance(made, JobPlan)


def test_capabilities_tell_every_backend_and_exactly_what_is_missing() -> None:
    told = motion_clip_availability((NO_DEFORUM,))
    assert {b.name: (b.available, b.missing) for b in told.backends} == {
        "webui_animatediff": (True, ()),
        "webui_deforum": (False, ("The Deforum API is not there.",)),
    }
    assert told.motion_models == ("mm_a.safetensors", "mm_b.safetensors")
    assert "None" not in told.upscalers
    nothing = motion_clip_availability(())
    assert {s.name: s.available for s in nothing.stages} == {
        "txt2img": False,
        "img2img": False,
        "upscale": False,
        "video_render": True,
    }


def test_an_animatediff_that_shows_too_few_keys_is_not_used() -> None:
    odd = AnimateDiffCapability(
        missing=(), motion_models=("m",), txt2img_keys=(), img2img_keys=ANIMATEDIFF_KEYS[:3]
    )
    refusal = refused(motion_clip(STILL, frames(), RENDER), engines=(webui(animatediff=odd),))
    assert isinstance(refusal, Refusal)
    assert "of a version we do not know" in refusal.errors[0].sentence
