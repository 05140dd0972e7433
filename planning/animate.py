"""Plans Animate: a character image takes the motion of a video (move), or takes the place of the
person in it (mix). SRS §15, §23A.

Must not check what every mode shares: that is the worksheet's.
"""

from __future__ import annotations

import json

from contracts.base import Scalar
from contracts.errors import ErrorCode
from contracts.media import VideoFacts
from contracts.plan import Frame, JobPlan
from contracts.stages import ComfyWorkflowStage, MediaInput
from planning.durations import frames_of_video
from planning.matching import match
from planning.profiles import switches_of
from planning.recipes import image_order, sound_order, video_order
from planning.requests import AnimateRequest
from planning.resolution import frame_of, prompts_of, shared_settings, stage_of
from planning.worksheet import Worksheet


def plan_animate(sheet: Worksheet, request: AnimateRequest) -> JobPlan | None:
    """The plan, or None when the sheet holds faults."""
    sheet.check_prompts()
    image = sheet.take_ground_truth()
    at = "motion_video_asset_id"
    taken = sheet.take(at, "motion_video", "video", ErrorCode.MOTION_VIDEO_MISSING)
    sheet.refuse_foreign("audio_asset_id", "Audio performance")
    sheet.store_soft_guidance()
    size = sheet.check_size()
    facts = taken[1] if taken else None
    frames = frames_of_video(sheet, facts, at) if isinstance(facts, VideoFacts) else None
    _check_background(sheet, request)
    relighting = _relighting(sheet, request)
    sheet.check_engines(**({"relighting": True} if relighting else {}))
    if sheet.faults or image is None or taken is None or size is None or frames is None:
        return None
    frame = frame_of(sheet, size, frames)
    prompts = prompts_of(sheet)
    video = taken[0]
    has_audio = isinstance(facts, VideoFacts) and facts.has_audio
    orders = [
        image_order(image, "ground_truth", frame, request.crop),
        video_order(video, "motion_video", frame, has_audio=has_audio),
    ]
    if has_audio:
        orders.append(sound_order(video, "soundtrack", frame))
    return JobPlan(
        mode="animate",
        prompt=request.prompt,
        resolved_prompt=prompts[0],
        negative_prompt=prompts[1],
        seed=sheet.seed,
        aspect_ratio=size[0],
        quality_profile=request.quality_profile,
        settings={
            "animate_submode": request.animate_submode,
            "background_preservation": request.animate_submode == "mix",
            "relighting": relighting,
            **shared_settings(sheet, frame),
        },
        assets=tuple(sheet.uses),
        media=tuple(orders),
        stages=(_stage(sheet, frame, prompts, relighting=relighting),),
        delivery=frame,
        soundtrack="soundtrack" if has_audio else None,
        notes=tuple(sheet.notes),
    )


def subject_points(width_px: int, height_px: int) -> str:
    """Where the person to be replaced is looked for: the middle of the picture, as JSON."""
    return json.dumps([{"x": width_px // 2, "y": height_px // 2}], separators=(",", ":"))


def _stage(
    sheet: Worksheet, frame: Frame, prompts: tuple[str, str], *, relighting: bool
) -> ComfyWorkflowStage:
    parameters: dict[str, Scalar] = {"pose_resolution": min(frame.width_px, frame.height_px)}
    if "subject_points" in sheet.version.bindings.parameters:
        parameters["subject_points"] = subject_points(frame.width_px, frame.height_px)
    media = (
        MediaInput(parameter="character", role="ground_truth"),
        MediaInput(parameter="motion", role="motion_video"),
    )
    return stage_of(sheet, frame, prompts, media, parameters, relighting=relighting)


def _check_background(sheet: Worksheet, request: AnimateRequest) -> None:
    asked = request.background_preservation
    if asked is None or asked == (request.animate_submode == "mix"):
        return
    if asked:
        sentence = "Move takes its background from the character image and cannot keep the video's."
        remedy = "Choose Replace character (mix), or leave background preservation out."
    else:
        sentence = "Replace character (mix) always keeps the background of the motion video."
        remedy = "Choose Move, or leave background preservation out."
    sheet.refuse(ErrorCode.SETTINGS_CONFLICT, "background_preservation", sentence, remedy)


def _relighting(sheet: Worksheet, request: AnimateRequest) -> bool:
    """Whether the character is lit like the scene: asked, else on wherever an engine can do it."""
    if "relighting" not in sheet.version.bindings.switches:
        if request.relighting:
            sheet.check_wire("relighting")
        return False
    if request.relighting is False:
        return False
    profile = sheet.profile
    lit, plain = (
        match(
            sheet.version,
            profile,
            switches_of(sheet.version, profile, relighting=on),
            sheet.engines,
        )
        for on in (True, False)
    )
    if plain.refused or not lit.refused:
        return True
    if request.relighting:
        sheet.refuse(
            ErrorCode.SETTING_UNAVAILABLE,
            "relighting",
            sentence="Relighting is not available here.",
            remedy="Leave it out, or set it to false.",
            detail="missing: " + ", ".join(lit.missing),
        )
    else:
        sheet.notes.append("Relighting is not available here; the character keeps its own light.")
    return False
