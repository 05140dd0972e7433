"""What an accepted request becomes."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from contracts.events import MAX_EVENT_BYTES
from contracts.media import AudioRecipe, CropBox, ImageRecipe, VideoRecipe
from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.limits import parse_size
from planning.planner import PlanLimits
from planning.prompts import DEFAULT_NEGATIVE_PROMPT
from planning.requests import MAX_SEED, AnimateRequest
from tests.planning.examples import (
    IMAGE,
    SEED,
    SILENT,
    animate,
    asset_id,
    audio_asset,
    audio_performance,
    engine,
    image_asset,
    planned,
    video_asset,
)


def _stage(made: JobPlan) -> ComfyWorkflowStage:
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    return stage


def test_animate_orders_image_video_and_soundtrack_of_one_length() -> None:
    made = planned(animate())
    image, video, sound = (o.recipe for o in made.media)
    assert image == ImageRecipe(width_px=576, height_px=1024)
    assert video == VideoRecipe(width_px=576, height_px=1024, fps=16, frames=45)
    assert sound == AudioRecipe(sample_rate_hz=48_000, channels=2, duration_s=45 / 16)
    assert (made.delivery.frames, made.soundtrack) == (45, "soundtrack")


def test_a_silent_motion_video_gives_a_job_without_soundtrack() -> None:
    made = planned(animate(motion_video_asset_id=SILENT))
    assert made.soundtrack is None
    assert [o.role for o in made.media] == ["ground_truth", "motion_video"]


def test_a_long_motion_video_is_trimmed_to_the_limit_and_says_so() -> None:
    made = planned(animate(), video_asset(2, 60.0))
    assert made.delivery.frames == 77 + 7 * 72
    assert any("lasts 60.0 s" in note for note in made.notes)


def test_a_target_duration_becomes_the_nearest_deliverable_frames() -> None:
    assert planned(animate(duration_override_seconds=2.0)).delivery.frames == 33


def test_audio_is_covered_whole_and_padded_to_the_frames() -> None:
    made = planned(audio_performance(), audio_asset(3, 2.0))
    assert made.delivery.frames == 34
    sound = made.media[1].recipe
    assert isinstance(sound, AudioRecipe)
    assert sound.duration_s == 34 / 16
    assert made.soundtrack == "audio"


def test_long_audio_is_accepted_with_a_target_duration_and_says_what_is_used() -> None:
    made = planned(audio_performance(duration_override_seconds=3.0), audio_asset(3, 60.0))
    assert made.delivery.frames == 46
    assert any("first 2.9 s" in note for note in made.notes)


def test_a_given_seed_is_kept_and_an_absent_one_is_the_callers() -> None:
    assert planned(animate(seed=123)).seed == 123
    assert planned(animate()).seed == SEED
    assert _stage(planned(animate(seed=123))).parameters["seed"] == 123


def test_framing_is_said_in_the_resolved_prompt_and_the_prompt_is_kept() -> None:
    made = planned(audio_performance(framing_mode="half_body"))
    assert made.prompt == "he sings"
    assert made.resolved_prompt == "he sings. Half-body framing, from the waist up."


def test_draft_has_no_negative_prompt_and_standard_a_default_one() -> None:
    assert planned(animate(quality_profile="draft")).negative_prompt == ""
    assert planned(animate()).negative_prompt == DEFAULT_NEGATIVE_PROMPT
    assert planned(animate(negative_prompt="rain")).negative_prompt == "rain"


def test_audio_adherence_is_the_guidance_scale() -> None:
    scales = [
        _stage(planned(audio_performance(audio_adherence_profile=a))).parameters["cfg"]
        for a in ("loose", None, "balanced", "strict")
    ]
    assert scales == [4.5, 6.0, 6.0, 7.5]


def test_references_and_pose_sheets_are_soft_guidance_said_in_the_prompt() -> None:
    made = planned(animate(reference_asset_ids=(IMAGE,), pose_sheet_asset_ids=(IMAGE, IMAGE)))
    assert [(u.role, u.used) for u in made.assets[2:]] == [
        ("reference", False),
        ("pose_sheet", False),
        ("pose_sheet", False),
    ]
    assert all((u.note or "").startswith("Soft guidance: ") for u in made.assets[2:])
    assert made.settings["pose_sheet"] == made.settings["reference_images"] == "soft guidance"
    assert made.resolved_prompt == (
        "she dances. Keep the character's face, hair and clothing the same throughout. "
        "The character moves through 2 distinct poses in turn."
    )


def test_key_pose_hints_and_keywords_are_said_in_the_prompt_and_kept() -> None:
    made = planned(
        animate(
            pose_sheet_asset_ids=(IMAGE, IMAGE),
            key_pose_hints=("arms raised", "a bow."),
            keywords=("studio light", "film grain"),
        )
    )
    assert made.resolved_prompt == (
        "she dances. Key poses in order: arms raised; a bow. Keywords: studio light, film grain."
    )
    assert made.settings["key_pose_hints"] == "arms raised; a bow."


def test_a_crop_becomes_part_of_the_image_recipe() -> None:
    crop = CropBox(x_px=10, y_px=20, width_px=300, height_px=400)
    recipe = planned(animate(crop=crop)).media[0].recipe
    assert isinstance(recipe, ImageRecipe)
    assert recipe.crop == crop


def test_mix_relights_where_it_can_and_notes_where_it_cannot() -> None:
    mix = animate(animate_submode="mix")
    without = engine(without_files=("WanAnimate_relight_lora_fp16.safetensors",))
    assert planned(mix).settings["relighting"] is True
    dark = planned(mix, engines=(without,))
    assert dark.settings["relighting"] is False
    assert any("Relighting is not available" in note for note in dark.notes)
    assert _stage(dark).parameters["relighting"] is False


def test_draft_is_accelerated_and_standard_and_high_are_not() -> None:
    found = {
        profile: _stage(planned(animate(quality_profile=profile)))
        for profile in ("draft", "standard", "high")
    }
    assert {p: s.parameters["acceleration"] for p, s in found.items()} == {
        "draft": True,
        "standard": False,
        "high": False,
    }
    assert {p: s.precision for p, s in found.items()} == {
        "draft": "fp8",
        "standard": "fp8",
        "high": "bf16",
    }


def test_an_operator_can_override_every_size() -> None:
    made = planned(animate(aspect_ratio="16:9"), limits=PlanLimits(size_override_px=(96, 64)))
    assert (made.delivery.width_px, made.delivery.height_px) == (96, 64)
    assert made.aspect_ratio == "16:9"


@pytest.mark.parametrize("text", ["96", "96x", "96x90", "32x96", "x96", "96x96x96", "-96x96"])
def test_an_impossible_size_override_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_size(text)


def test_a_size_override_is_width_by_height() -> None:
    assert parse_size(" 128x96 ") == (128, 96)


def test_unknown_fields_and_wrong_types_never_reach_the_planner() -> None:
    for wrong in ({"lora": 1}, {"seed": -1}, {"seed": MAX_SEED + 1}, {"quality_profile": "best"}):
        with pytest.raises(ValidationError):
            AnimateRequest.model_validate({"prompt": "x", **wrong})


def test_equal_requests_make_equal_plans() -> None:
    assert planned(animate()).model_dump_json() == planned(animate()).model_dump_json()


def test_the_largest_plan_fits_into_an_event() -> None:
    many = tuple(asset_id(n) for n in range(10, 18))
    request = animate(
        animate_submode="mix",
        prompt="é" * 2000,
        negative_prompt="é" * 2000,
        reference_asset_ids=many,
        pose_sheet_asset_ids=many,
    )
    made = planned(request, *(image_asset(n) for n in range(10, 18)))
    assert len(made.model_dump_json().encode()) < MAX_EVENT_BYTES - 4096
