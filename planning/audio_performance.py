"""Plans Audio Performance: a character image speaks or sings a sound. SRS §16, §23A.

Must not check what every mode shares: that is the worksheet's.
"""

from __future__ import annotations

from contracts.errors import ErrorCode
from contracts.media import AudioFacts, CropBox, ImageFacts
from contracts.plan import Frame, JobPlan
from contracts.stages import ComfyWorkflowStage, MediaInput
from planning.durations import frames_of_audio
from planning.framing import framing_crop
from planning.recipes import image_order, sound_order
from planning.requests import AudioPerformanceRequest
from planning.resolution import frame_of, prompts_of, shared_settings, stage_of
from planning.worksheet import Worksheet


def plan_audio_performance(sheet: Worksheet, request: AudioPerformanceRequest) -> JobPlan | None:
    """The plan, or None when the sheet holds faults."""
    sheet.check_prompts()
    image = sheet.take_ground_truth()
    taken = sheet.take("audio_asset_id", "audio", "audio", ErrorCode.AUDIO_MISSING)
    sheet.refuse_foreign("motion_video_asset_id", "Animate")
    sheet.store_soft_guidance()
    size = sheet.check_size()
    facts = taken[1] if taken else None
    frames = frames_of_audio(sheet, facts) if isinstance(facts, AudioFacts) else None
    sheet.check_wire("audio_adherence_profile")
    sheet.check_wire("framing_mode")
    sheet.check_engines()
    if sheet.faults or image is None or taken is None or size is None or frames is None:
        return None
    frame = frame_of(sheet, size, frames)
    prompts = prompts_of(sheet, framing=request.framing_mode)
    settings = shared_settings(sheet, frame)
    if request.framing_mode is not None:
        settings["framing_mode"] = request.framing_mode
    if request.audio_adherence_profile is not None:
        settings["audio_adherence_profile"] = request.audio_adherence_profile
    crop = _crop(sheet, request, image.facts, frame)
    return JobPlan(
        mode="audio_performance",
        prompt=request.prompt,
        resolved_prompt=prompts[0],
        negative_prompt=prompts[1],
        seed=sheet.seed,
        aspect_ratio=size[0],
        quality_profile=request.quality_profile,
        settings=settings,
        assets=tuple(sheet.uses),
        media=(
            image_order(image, "ground_truth", frame, crop),
            sound_order(taken[0], "audio", frame),
        ),
        stages=(_stage(sheet, request, frame, prompts),),
        delivery=frame,
        soundtrack="audio",
        notes=tuple(sheet.notes),
    )


def _crop(
    sheet: Worksheet, request: AudioPerformanceRequest, facts: object, frame: Frame
) -> CropBox | None:
    """The asked crop, else the framing's; said in a note when the framing cuts something away."""
    framing = request.framing_mode
    if request.crop is not None or framing is None or not isinstance(facts, ImageFacts):
        return request.crop
    crop = framing_crop(framing, facts, frame)
    if crop is not None:
        sheet.notes.append(
            f"For this framing the upper {crop.height_px} of {facts.height_px} pixel rows of the "
            "character image are used; give a crop to choose another part."
        )
    return crop


def _stage(
    sheet: Worksheet,
    request: AudioPerformanceRequest,
    frame: Frame,
    prompts: tuple[str, str],
) -> ComfyWorkflowStage:
    adherence = request.audio_adherence_profile
    manifest = sheet.version.manifest
    cfg = manifest.adherence_cfg[adherence] if adherence else sheet.profile.cfg
    media = (
        MediaInput(parameter="character", role="ground_truth"),
        MediaInput(parameter="audio", role="audio"),
    )
    return stage_of(sheet, frame, prompts, media, {"cfg": cfg})
