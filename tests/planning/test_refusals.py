"""Every fault of a request is refused with its own code, a field, a sentence and a remedy."""

from __future__ import annotations

import pytest

from contracts.errors import ErrorCode as C
from contracts.errors import error_info
from contracts.media import CropBox
from planning.assets import KnownAsset
from planning.requests import JobRequest
from tests.planning.examples import (
    AUDIO,
    CHECKING,
    IMAGE,
    REJECTED,
    VIDEO,
    animate,
    asset_id,
    audio_asset,
    audio_performance,
    engine,
    image_asset,
    known,
    pose_control,
    pose_sheet,
    refused,
    sha,
    start_end,
    video_asset,
)

NO_BF16 = engine(without_files=("wan2.2_animate_14B_bf16.safetensors",))
NO_POSE = engine(without_classes=("DWPreprocessor",))
NO_RELIGHT = engine(without_files=("WanAnimate_relight_lora_fp16.safetensors",))
NINE = tuple(asset_id(1) for _ in range(9))

CASES: list[tuple[JobRequest, C, str]] = [
    (animate(prompt="  "), C.PROMPT_MISSING, "prompt"),
    (animate(prompt="x" * 2001), C.PROMPT_TOO_LONG, "prompt"),
    (animate(negative_prompt="x" * 2001), C.PROMPT_TOO_LONG, "negative_prompt"),
    (
        animate(negative_prompt="blur", quality_profile="draft"),
        C.NEGATIVE_PROMPT_UNUSED,
        "negative_prompt",
    ),
    (animate(ground_truth_asset_id=None), C.GROUND_TRUTH_MISSING, "ground_truth_asset_id"),
    (animate(motion_video_asset_id=""), C.MOTION_VIDEO_MISSING, "motion_video_asset_id"),
    (audio_performance(audio_asset_id=None), C.AUDIO_MISSING, "audio_asset_id"),
    (animate(ground_truth_asset_id="no-such-id"), C.ASSET_UNKNOWN, "ground_truth_asset_id"),
    (animate(ground_truth_asset_id=CHECKING), C.ASSET_CHECKING, "ground_truth_asset_id"),
    (animate(ground_truth_asset_id=REJECTED), C.ASSET_REJECTED, "ground_truth_asset_id"),
    (animate(ground_truth_asset_id=VIDEO), C.ASSET_WRONG_KIND, "ground_truth_asset_id"),
    (animate(motion_video_asset_id=AUDIO), C.ASSET_WRONG_KIND, "motion_video_asset_id"),
    (audio_performance(audio_asset_id=VIDEO), C.ASSET_WRONG_KIND, "audio_asset_id"),
    (animate(reference_asset_ids=(VIDEO,)), C.ASSET_WRONG_KIND, "reference_asset_ids[0]"),
    (animate(pose_sheet_asset_ids=(IMAGE, "?")), C.ASSET_UNKNOWN, "pose_sheet_asset_ids[1]"),
    (animate(audio_asset_id=AUDIO), C.ASSET_UNUSED_IN_MODE, "audio_asset_id"),
    (
        audio_performance(motion_video_asset_id=VIDEO),
        C.ASSET_UNUSED_IN_MODE,
        "motion_video_asset_id",
    ),
    (animate(reference_asset_ids=NINE), C.TOO_MANY_ASSETS, "reference_asset_ids"),
    (animate(pose_sheet_asset_ids=NINE), C.TOO_MANY_ASSETS, "pose_sheet_asset_ids"),
    (animate(aspect_ratio="4:3"), C.ASPECT_RATIO_UNSUPPORTED, "aspect_ratio"),
    (
        animate(crop=CropBox(x_px=400, y_px=0, width_px=200, height_px=200)),
        C.CROP_OUTSIDE_IMAGE,
        "crop",
    ),
    (
        animate(crop=CropBox(x_px=0, y_px=0, width_px=20, height_px=20)),
        C.IMAGE_TOO_SMALL,
        "crop",
    ),
    (animate(background_preservation=True), C.SETTINGS_CONFLICT, "background_preservation"),
    (
        animate(animate_submode="mix", background_preservation=False),
        C.SETTINGS_CONFLICT,
        "background_preservation",
    ),
    (animate(relighting=True), C.SETTING_UNAVAILABLE, "relighting"),
    (animate(extension_segments=8), C.SETTING_UNAVAILABLE, "extension_segments"),
    (
        audio_performance(audio_adherence_profile="strict", quality_profile="draft"),
        C.SETTING_UNAVAILABLE,
        "audio_adherence_profile",
    ),
    (
        animate(duration_override_seconds=5.0),
        C.DURATION_TOO_LONG,
        "duration_override_seconds",
    ),
    (
        animate(duration_override_seconds=0.2),
        C.DURATION_TOO_SHORT,
        "duration_override_seconds",
    ),
    (
        audio_performance(duration_override_seconds=40),
        C.DURATION_TOO_LONG,
        "duration_override_seconds",
    ),
    (
        audio_performance(duration_override_seconds=0.2),
        C.DURATION_TOO_SHORT,
        "duration_override_seconds",
    ),
]


CASES += [
    (
        start_end(start_frame_asset_id=None, end_frame_asset_id=None),
        C.FRAME_MISSING,
        "start_frame_asset_id",
    ),
    (start_end(end_frame_asset_id=VIDEO), C.ASSET_WRONG_KIND, "end_frame_asset_id"),
    (start_end(ground_truth_asset_id=IMAGE), C.ASSET_UNUSED_IN_MODE, "ground_truth_asset_id"),
    (
        start_end(crop=CropBox(x_px=0, y_px=0, width_px=99, height_px=99)),
        C.SETTING_UNAVAILABLE,
        "crop",
    ),
    (start_end(extension_segments=1), C.SETTING_UNAVAILABLE, "extension_segments"),
    (
        start_end(duration_override_seconds=9),
        C.DURATION_TOO_LONG,
        "duration_override_seconds",
    ),
    (pose_control(control_video_asset_id=None), C.CONTROL_MISSING, "control_video_asset_id"),
    (pose_control(control_video_asset_id=IMAGE), C.ASSET_WRONG_KIND, "control_video_asset_id"),
    (pose_control(control_kind="trajectory"), C.SETTING_UNAVAILABLE, "control_kind"),
    (pose_sheet(control_kind="depth"), C.SETTINGS_CONFLICT, "control_kind"),
    (pose_sheet(IMAGE, VIDEO), C.ASSET_WRONG_KIND, "pose_sheet_asset_ids[1]"),
    (pose_sheet(*NINE), C.TOO_MANY_ASSETS, "pose_sheet_asset_ids"),
    (
        audio_performance(extension_segments=0, duration_override_seconds=5.0),
        C.DURATION_TOO_LONG,
        "duration_override_seconds",
    ),
    (animate(key_pose_hints=("a bow",)), C.SETTINGS_CONFLICT, "key_pose_hints"),
]


@pytest.mark.parametrize(("request_", "code", "field"), CASES)
def test_a_fault_is_refused_alone_with_its_code_and_field(
    request_: JobRequest, code: C, field: str
) -> None:
    errors = refused(request_).errors
    assert [(e.code, e.field) for e in errors] == [(code, field)]
    assert errors[0].sentence
    assert errors[0].remedy


MEDIA_CASES: list[tuple[JobRequest, KnownAsset, C, str]] = [
    (animate(), image_asset(1, 63, 200), C.IMAGE_TOO_SMALL, "ground_truth_asset_id"),
    (animate(), image_asset(1, 100, 401), C.IMAGE_ASPECT_EXTREME, "ground_truth_asset_id"),
    (animate(), video_asset(2, 0.4), C.VIDEO_TOO_SHORT, "motion_video_asset_id"),
    (audio_performance(), audio_asset(3, 0.4), C.AUDIO_TOO_SHORT, "audio_asset_id"),
    (audio_performance(), audio_asset(3, 39.9), C.AUDIO_TOO_LONG, "audio_asset_id"),
]


@pytest.mark.parametrize(("request_", "asset", "code", "field"), MEDIA_CASES)
def test_media_out_of_bounds_are_refused(
    request_: JobRequest, asset: KnownAsset, code: C, field: str
) -> None:
    assert [(e.code, e.field) for e in refused(request_, asset).errors] == [(code, field)]


def test_every_fault_is_named_at_once() -> None:
    codes = {e.code for e in refused(animate(prompt="", ground_truth_asset_id=None)).errors}
    assert codes == {C.PROMPT_MISSING, C.GROUND_TRUTH_MISSING}


def test_a_rejected_asset_is_refused_in_the_words_of_its_own_fault() -> None:
    error = error_info(C.FILE_UNDECODABLE, detail="moov atom not found")
    broken = KnownAsset(
        asset_id=REJECTED, kind="image", sha256=sha(5), status="rejected", error=error
    )
    told = refused(animate(ground_truth_asset_id=REJECTED), broken).errors[0]
    assert (told.code, told.sentence) == (C.ASSET_REJECTED, error.sentence)


def test_a_target_beyond_the_end_of_the_motion_video_is_refused_with_its_length() -> None:
    told = refused(animate(duration_override_seconds=4.0)).errors[0]
    assert told.code == C.DURATION_TOO_LONG
    assert "3.0 s" in told.sentence


def test_a_profile_that_every_known_engine_lacks_is_refused_and_another_proposed() -> None:
    request = animate(quality_profile="high")
    told = refused(request, engines=(NO_BF16,)).errors[0]
    assert (told.code, told.field) == (C.PROFILE_UNAVAILABLE, "quality_profile")
    assert "standard" in told.remedy
    assert told.detail is not None
    assert "wan2.2_animate_14B_bf16.safetensors" in told.detail


def test_a_mode_that_every_known_engine_lacks_is_refused_with_what_is_missing() -> None:
    told = refused(animate(), engines=(NO_POSE,)).errors[0]
    assert (told.code, told.field) == (C.MODE_UNAVAILABLE, "mode")
    assert told.detail is not None
    assert "DWPreprocessor (from comfyui_controlnet_aux)" in told.detail
    assert "DWPreprocessor" not in told.sentence


def test_relighting_that_was_asked_for_is_refused_where_no_engine_can_do_it() -> None:
    request = animate(animate_submode="mix", relighting=True)
    told = refused(request, engines=(NO_RELIGHT,)).errors[0]
    assert (told.code, told.field) == (C.SETTING_UNAVAILABLE, "relighting")


def test_refusals_never_show_users_a_model_or_node_name() -> None:
    for request_, _, _ in CASES:
        for told in refused(request_, *known().values()).errors:
            words = f"{told.sentence} {told.remedy}".lower()
            assert not any(w in words for w in ("comfyui", "lora", "cfg", "fp8", "bf16", "node"))
