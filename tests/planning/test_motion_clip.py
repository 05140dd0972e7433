"""What an accepted stage chain becomes: resolved stages, seeds, sizes, origins, delivery."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.base import canonical_bytes
from contracts.events import MAX_EVENT_BYTES
from contracts.media import AudioRecipe, ImageRecipe
from contracts.plan import Frame, JobPlan
from contracts.stages import (
    MOST_STILLS,
    DeforumParams,
    Img2ImgStage,
    Txt2ImgStage,
    UpscaleStage,
    VideoFramesStage,
    VideoRenderStage,
)
from planning.planner import PlanLimits, plan
from planning.prompts import DEFAULT_NEGATIVE_PROMPT
from tests.planning.examples import (
    AUDIO,
    IMAGE,
    RENDER,
    SECOND_IMAGE,
    SEED,
    STILL,
    WORKFLOWS,
    animate,
    asset_id,
    audio_performance,
    frames,
    image_asset,
    known,
    motion_clip,
    planned,
    webui,
)


def _chain(*stages: dict[str, Any], **changes: Any) -> JobPlan:
    return planned(motion_clip(*stages, **changes), engines=(webui(),))


def _render(made: JobPlan) -> VideoRenderStage:
    stage = made.stages[-1]
    assert isinstance(stage, VideoRenderStage)
    return stage


def _frames(made: JobPlan) -> VideoFramesStage:
    return next(s for s in made.stages if isinstance(s, VideoFramesStage))


def test_stills_are_drawn_enlarged_and_shown_for_as_long_as_asked() -> None:
    made = _chain({**STILL, "count": 3}, {"kind": "upscale", "factor": 1.5}, RENDER)
    still, larger, _ = made.stages
    assert isinstance(still, Txt2ImgStage)
    assert (still.width_px, still.height_px, still.count, still.seed) == (432, 768, 3, SEED)
    assert still.negative_prompt == DEFAULT_NEGATIVE_PROMPT
    assert isinstance(larger, UpscaleStage)
    assert (larger.width_px, larger.height_px, larger.upscaler) == (648, 1152, "Lanczos")
    assert made.delivery == Frame(width_px=648, height_px=1152, fps=24, frames=3 * 48)
    assert made.settings["chain"] == "txt2img > upscale > video_render"


def test_attached_stills_of_mixed_sizes_are_made_equal_and_need_no_engine() -> None:
    request = motion_clip(
        still_asset_ids=(IMAGE, SECOND_IMAGE),
        prompt="",
        aspect_ratio="16:9",
        render={"seconds_per_still": 0.51, "fps": 10, "camera_motion": "pan"},
    )
    made = planned(request, engines=())
    assert [(o.role, o.index, o.recipe) for o in made.media] == [
        ("still", index, ImageRecipe(width_px=1280, height_px=720)) for index in (0, 1)
    ]
    assert made.delivery == Frame(width_px=1280, height_px=720, fps=10, frames=10)
    assert any("different sizes" in note for note in made.notes)
    assert _render(made).camera_motion == "pan"


def test_the_most_stills_make_a_plan_that_fits_an_event() -> None:
    ids = tuple(asset_id(100 + n) for n in range(MOST_STILLS))
    assets = [image_asset(100 + n) for n in range(MOST_STILLS)]
    made = planned(motion_clip(still_asset_ids=ids), *assets, engines=())
    assert len(made.model_dump_json()) < MAX_EVENT_BYTES - 2000


def test_img2img_starts_from_the_ground_truth_with_its_crop() -> None:
    crop = {"x_px": 0, "y_px": 0, "width_px": 300, "height_px": 300}
    made = _chain(
        {"kind": "img2img", "strength": 0.3}, RENDER, ground_truth_asset_id=IMAGE, crop=crop
    )
    assert [o.role for o in made.media] == ["ground_truth"]
    recipe = made.media[0].recipe
    assert isinstance(recipe, ImageRecipe)
    assert recipe.crop is not None
    stage = made.stages[0]
    assert isinstance(stage, Img2ImgStage)
    assert (recipe.width_px, recipe.height_px) == (stage.width_px, stage.height_px)
    assert stage.strength == 0.3


def test_frames_are_delivered_at_their_own_rate_and_number() -> None:
    made = _chain(STILL, frames(num_frames=16, fps=8), {**RENDER, "container": "webm"})
    assert made.delivery == Frame(width_px=432, height_px=768, fps=8, frames=16)
    assert made.video_name == "video.webm"
    stage = _frames(made)
    assert stage.backend_params.animatediff is not None
    assert stage.backend_params.animatediff.motion_model == "mm_a.safetensors"
    assert (made.origins["stages.1.fps"], made.origins["stages.2.fps"]) == ("request", "source")


@pytest.mark.parametrize(
    ("asked", "seed", "origin"),
    [
        ({}, SEED, "source"),
        ({"seed_mode": "inherit"}, SEED, "source"),
        ({"seed_mode": "fixed", "seed": 99}, 99, "request"),
    ],
)
def test_the_seed_of_frames_is_inherited_or_fixed(
    asked: dict[str, Any], seed: int, origin: str
) -> None:
    made = _chain(STILL, frames(**asked), RENDER)
    assert (_frames(made).seed, made.origins["stages.1.seed"]) == (seed, origin)


def test_a_random_seed_is_drawn_anew_at_planning_even_with_a_seed_given() -> None:
    request = motion_clip(STILL, frames(seed_mode="random"), RENDER, seed=5)
    seeds = set()
    for drawn in range(5):
        made = plan(request, known(), WORKFLOWS, (webui(),), drawn)
        assert isinstance(made, JobPlan)
        seeds.add(_frames(made).seed)
        assert made.stages[0].model_dump()["seed"] == 5
    assert len(seeds) == 5


def test_equal_requests_give_equal_bytes() -> None:
    request = motion_clip(STILL, frames("deforum", seed_mode="random"), RENDER)
    one, other = (planned(request, engines=(webui(),)) for _ in range(2))
    assert canonical_bytes(one) == canonical_bytes(other)


def test_a_prompt_by_frames_travels_and_its_beginning_is_the_stills_prompt() -> None:
    prompt = "a lake\n0: spring, green\n12: winter, snow\nfine detail"
    made = _chain(STILL, frames("deforum"), RENDER, prompt=prompt)
    still = made.stages[0]
    assert isinstance(still, Txt2ImgStage)
    assert still.prompt == "a lake, spring, green, fine detail"
    params = _frames(made).backend_params.deforum
    assert params is not None
    assert params.prompts == {
        0: "a lake, spring, green, fine detail",
        12: "a lake, winter, snow, fine detail",
    }
    assert _frames(_chain(STILL, frames(), RENDER, prompt=prompt)).prompt == prompt


def test_deforums_own_strength_is_the_reverse_and_one_prompt_stands_at_frame_0() -> None:
    params = _frames(_chain(STILL, frames("deforum", strength=0.3), RENDER)).backend_params.deforum
    assert params == DeforumParams(prompts={0: "a lake"}, strength=0.7)


def test_without_guidance_no_negative_prompt_is_sent() -> None:
    made = _chain({**STILL, "cfg": 1}, RENDER)
    assert made.stages[0].model_dump()["negative_prompt"] == ""


def test_a_sound_is_laid_under_stills_as_long_as_they_are() -> None:
    made = planned(
        motion_clip(still_asset_ids=(IMAGE,), render={"audio_asset_id": AUDIO}), engines=()
    )
    sound = made.media[-1].recipe
    assert isinstance(sound, AudioRecipe)
    assert sound.duration_s == made.delivery.duration_s == 2.0
    assert (made.soundtrack, _render(made).audio_role) == ("soundtrack", "soundtrack")


def test_a_clip_of_a_workflow_is_rendered_to_another_file_and_a_gif_is_silent() -> None:
    plain = planned(animate())
    webm = planned(animate(render={"container": "webm", "output_name": "dance"}))
    assert (webm.video_name, webm.soundtrack) == ("dance.webm", "soundtrack")
    assert webm.delivery == plain.delivery
    assert webm.stages[:-1] == plain.stages
    gif = planned(audio_performance(render={"container": "gif"}))
    assert (gif.video_name, gif.soundtrack) == ("video.gif", None)
    assert "audio" in [order.role for order in gif.media], "the engine still hears the sound"
    assert any("no sound" in note for note in gif.notes)


def test_a_size_override_rules_every_picture() -> None:
    limits = PlanLimits(size_override_px=(64, 96))
    made = planned(motion_clip(STILL, RENDER), engines=(webui(),), limits=limits)
    assert (made.delivery.width_px, made.delivery.height_px) == (64, 96)


def test_a_webui_that_is_away_makes_the_job_wait_and_a_simulated_one_says_so() -> None:
    request = motion_clip(STILL, RENDER)
    away = planned(request, engines=(webui(health="unreachable"),))
    assert any("not reachable now" in note for note in away.notes)
    pretended = planned(request, engines=(webui(simulated=True),))
    assert any("simulated" in note for note in pretended.notes)
