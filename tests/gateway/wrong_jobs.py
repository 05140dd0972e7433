"""Requests that must be refused at submit, each with the code it is refused with.

`{name}` values stand for the ids of assets that the test uploads. Must not hold a good request but
the four that the others are made from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

GOOD: dict[str, dict[str, Any]] = {
    "animate": {
        "prompt": "she dances",
        "ground_truth_asset_id": "{image}",
        "motion_video_asset_id": "{video}",
    },
    "audio-performance": {
        "prompt": "he sings",
        "ground_truth_asset_id": "{image}",
        "audio_asset_id": "{audio}",
    },
    "start-end": {"prompt": "day turns to night", "start_frame_asset_id": "{image}"},
    "pose-control": {
        "prompt": "she bows",
        "ground_truth_asset_id": "{image}",
        "control_video_asset_id": "{video}",
    },
}
"""A good request of every mode, by its route."""


class WrongJob(NamedTuple):
    """A request: a good one of the mode with changes, and how it is refused."""

    mode: str
    changes: dict[str, Any]
    code: str

    @property
    def body(self) -> dict[str, Any]:
        """What is sent, with the names of assets still in it."""
        return {**GOOD[self.mode], **self.changes}


def _of(mode: str, *cases: tuple[dict[str, Any], str]) -> list[WrongJob]:
    return [WrongJob(mode, changes, code) for changes, code in cases]


NOBODY = "0193b9a0-0000-7000-8000-00000000ffff"

WRONG: list[WrongJob] = [
    *_of(
        "animate",
        ({"prompt": ""}, "prompt_missing"),
        ({"prompt": "x" * 2001}, "prompt_too_long"),
        ({"negative_prompt": "x" * 2001}, "prompt_too_long"),
        ({"negative_prompt": "blur", "quality_profile": "draft"}, "negative_prompt_unused"),
        ({"ground_truth_asset_id": None}, "ground_truth_missing"),
        ({"motion_video_asset_id": None}, "motion_video_missing"),
        ({"ground_truth_asset_id": NOBODY}, "asset_unknown"),
        ({"motion_video_asset_id": "*"}, "asset_unknown"),
        ({"ground_truth_asset_id": "{rejected}"}, "asset_rejected"),
        ({"ground_truth_asset_id": "{checking}"}, "asset_checking"),
        ({"ground_truth_asset_id": "{video}"}, "asset_wrong_kind"),
        ({"motion_video_asset_id": "{audio}"}, "asset_wrong_kind"),
        ({"reference_asset_ids": ["{audio}"]}, "asset_wrong_kind"),
        ({"pose_sheet_asset_ids": ["{video}"]}, "asset_wrong_kind"),
        ({"audio_asset_id": "{audio}"}, "asset_unused_in_mode"),
        ({"reference_asset_ids": ["{image}"] * 9}, "too_many_assets"),
        ({"pose_sheet_asset_ids": ["{image}"] * 9}, "too_many_assets"),
        ({"ground_truth_asset_id": "{tiny}"}, "image_too_small"),
        ({"ground_truth_asset_id": "{strip}"}, "image_aspect_extreme"),
        ({"motion_video_asset_id": "{glimpse}"}, "video_too_short"),
        (
            {"crop": {"x_px": 700, "y_px": 0, "width_px": 300, "height_px": 300}},
            "crop_outside_image",
        ),
        ({"crop": {"x_px": 0, "y_px": 0, "width_px": 20, "height_px": 20}}, "image_too_small"),
        (
            {"crop": {"x_px": 0, "y_px": 0, "width_px": 700, "height_px": 70}},
            "image_aspect_extreme",
        ),
        ({"aspect_ratio": "4:3"}, "aspect_ratio_unsupported"),
        ({"aspect_ratio": ""}, "aspect_ratio_unsupported"),
        ({"background_preservation": True}, "settings_conflict"),
        ({"animate_submode": "mix", "background_preservation": False}, "settings_conflict"),
        ({"key_pose_hints": ["a bow"]}, "settings_conflict"),
        ({"relighting": True}, "setting_unavailable"),
        ({"extension_segments": 8}, "setting_unavailable"),
        ({"duration_override_seconds": 30}, "duration_too_long"),
        ({"duration_override_seconds": 0.2}, "duration_too_short"),
        ({"unheard_of": 1}, "body_invalid"),
        ({"seed": -1}, "body_invalid"),
        ({"seed": 2**60}, "body_invalid"),
        ({"quality_profile": "ultra"}, "body_invalid"),
        ({"animate_submode": "puppet"}, "body_invalid"),
    ),
    *_of(
        "audio-performance",
        ({"prompt": "   "}, "prompt_missing"),
        ({"audio_asset_id": None}, "audio_missing"),
        ({"audio_asset_id": "{video}"}, "asset_wrong_kind"),
        ({"audio_asset_id": "{blip}"}, "audio_too_short"),
        ({"audio_asset_id": "{opera}"}, "audio_too_long"),
        ({"motion_video_asset_id": "{video}"}, "asset_unused_in_mode"),
        (
            {"audio_adherence_profile": "strict", "quality_profile": "draft"},
            "setting_unavailable",
        ),
        ({"duration_override_seconds": 100}, "duration_too_long"),
        ({"duration_override_seconds": 0.2}, "duration_too_short"),
        ({"framing_mode": "worm's eye"}, "body_invalid"),
        ({"keywords": ["word"] * 13}, "body_invalid"),
    ),
    *_of(
        "start-end",
        ({"start_frame_asset_id": None}, "frame_missing"),
        ({"end_frame_asset_id": "{video}"}, "asset_wrong_kind"),
        ({"end_frame_asset_id": "{tiny}"}, "image_too_small"),
        ({"ground_truth_asset_id": "{image}"}, "asset_unused_in_mode"),
        (
            {"crop": {"x_px": 0, "y_px": 0, "width_px": 99, "height_px": 99}},
            "setting_unavailable",
        ),
        ({"extension_segments": 1}, "setting_unavailable"),
        ({"duration_override_seconds": 9}, "duration_too_long"),
    ),
    *_of(
        "pose-control",
        ({"control_video_asset_id": None}, "control_missing"),
        ({"control_video_asset_id": "{image}"}, "asset_wrong_kind"),
        ({"control_kind": "trajectory"}, "setting_unavailable"),
        (
            {
                "control_kind": "canny",
                "control_video_asset_id": None,
                "pose_sheet_asset_ids": ["{image}"],
            },
            "settings_conflict",
        ),
        ({"control_video_asset_id": "{glimpse}"}, "video_too_short"),
    ),
]


class Removal(NamedTuple):
    """Something taken from a live engine, a request that needs it, and what must be said.

    `files` are below its models folder, `absent` and `changed` are node classes ("<class>" or
    "<class>.<input>" with the new part of its description, None to take the input away).
    """

    request: WrongJob
    says: str
    files: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    changed: dict[str, Any] = {}  # noqa: RUF012 - never written


def _gone(
    mode: str, changes: dict[str, Any], code: str, says: str, *files: str, **more: Any
) -> Removal:
    return Removal(WrongJob(mode, changes, code), says, files, **more)


_UNET, _LORA = "diffusion_models", "loras"
_MIX = {"animate_submode": "mix"}
REMOVALS: list[Removal] = [
    _gone(
        "animate",
        {},
        "mode_unavailable",
        "the file wan_2.1_vae.safetensors in models/vae",
        "vae/wan_2.1_vae.safetensors",
    ),
    _gone(
        "animate",
        {},
        "mode_unavailable",
        "the file clip_vision_h.safetensors in models/clip_vision",
        "clip_vision/clip_vision_h.safetensors",
    ),
    _gone(
        "animate",
        {},
        "profile_unavailable",
        "Animate-14B_fp8",
        f"{_UNET}/Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors",
    ),
    _gone(
        "animate",
        {"quality_profile": "draft"},
        "profile_unavailable",
        "in models/loras",
        f"{_LORA}/lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors",
    ),
    _gone(
        "animate",
        {**_MIX, "relighting": True},
        "setting_unavailable",
        "",
        f"{_LORA}/WanAnimate_relight_lora_fp16.safetensors",
    ),
    _gone(
        "audio-performance",
        {},
        "mode_unavailable",
        "in models/audio_encoders",
        "audio_encoders/wav2vec2_large_english_fp16.safetensors",
    ),
    _gone(
        "start-end",
        {},
        "mode_unavailable",
        "fun_inpaint_high_noise",
        f"{_UNET}/wan2.2_fun_inpaint_high_noise_14B_fp8_scaled.safetensors",
    ),
    _gone(
        "pose-control",
        {},
        "mode_unavailable",
        "fun_control_low_noise",
        f"{_UNET}/wan2.2_fun_control_low_noise_14B_fp8_scaled.safetensors",
    ),
    _gone("animate", {}, "mode_unavailable", "comfyui_controlnet_aux", absent=("DWPreprocessor",)),
    _gone("animate", _MIX, "mode_unavailable", "Sam2Segmentation", absent=("Sam2Segmentation",)),
    _gone(
        "pose-control",
        {},
        "mode_unavailable",
        "Wan22FunControlToVideo (built in",
        absent=("Wan22FunControlToVideo",),
    ),
    _gone(
        "animate",
        {},
        "mode_unavailable",
        "'euler' is not among",
        changed={"KSampler.sampler_name": {"options": ["lcm"]}},
    ),
    _gone(
        "animate",
        {},
        "profile_unavailable",
        "20 is above 6",
        changed={"KSampler.steps": {"max": 6}},
    ),
    _gone(
        "animate",
        {},
        "mode_unavailable",
        "WanAnimateToVideo.pose_video: the class has no such input",
        changed={"WanAnimateToVideo.pose_video": None},
    ),
    _gone(
        "audio-performance",
        {},
        "mode_unavailable",
        "takes AUDIO_ENCODER_V2",
        changed={"AudioEncoderEncode.audio_encoder": {"type": "AUDIO_ENCODER_V2"}},
    ),
    _gone(
        "start-end",
        {},
        "mode_unavailable",
        "SaveVideo.licence: required and not given",
        changed={"SaveVideo.licence": {"type": "STRING"}},
    ),
]
"""Each alone makes its request impossible on the only known engine."""
