"""What every mode's plan is made of, once the sheet has no faults: frame, prompts, settings, stage.

Must not find faults: that is the worksheet's.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.base import Scalar
from contracts.plan import AspectRatio, Frame
from contracts.stages import ComfyWorkflowStage, MediaInput
from planning.profiles import switches_of
from planning.prompts import SoftGuidance, resolve_negative, resolve_prompt
from planning.requests import FramingMode
from planning.segments import segments_of
from planning.sheet import Sheet
from planning.worksheet import SOFT_GUIDANCE, Worksheet


def frame_of(sheet: Worksheet, size: tuple[AspectRatio, int, int], frames: int) -> Frame:
    """The picture to deliver, at the workflow's rate."""
    _, width_px, height_px = size
    fps = sheet.version.manifest.frames.fps
    return Frame(width_px=width_px, height_px=height_px, fps=fps, frames=frames)


def prompts_of(
    sheet: Worksheet, *, framing: FramingMode | None = None, soft_poses: bool = True
) -> tuple[str, str]:
    """Resolved prompt and negative prompt. Without `soft_poses` the mode uses pose sheets itself,
    so that nothing about them needs to be said."""
    request = sheet.request
    guidance = SoftGuidance(
        references=len(request.reference_asset_ids),
        pose_sheets=len(request.pose_sheet_asset_ids) if soft_poses else 0,
        key_pose_hints=sheet.key_pose_hints,
        keywords=request.keywords,
    )
    return (
        resolve_prompt(request.prompt, framing, guidance),
        resolve_negative(request.negative_prompt, guided=sheet.profile.guided),
    )


def shared_settings(
    sheet: Worksheet, frame: Frame, *, soft_poses: bool = True
) -> dict[str, Scalar]:
    """Settings of every mode as the record keeps them, with the mark of SRS §23A for guidance."""
    request = sheet.request
    settings: dict[str, Scalar] = {
        "duration_s": frame.duration_s,
        "segments": len(segments_of(frame.frames, sheet.version.manifest.frames)),
    }
    if request.extension_segments is not None:
        settings["extension_segments"] = request.extension_segments
    return {**settings, **guidance_settings(sheet, soft_poses=soft_poses)}


def guidance_settings(sheet: Sheet, *, soft_poses: bool = True) -> dict[str, Scalar]:
    """What a request gives that is only said in the prompt, as the record keeps it."""
    request = sheet.request
    settings: dict[str, Scalar] = {}
    if request.reference_asset_ids:
        settings["reference_images"] = SOFT_GUIDANCE
    if request.pose_sheet_asset_ids and soft_poses:
        settings["pose_sheet"] = SOFT_GUIDANCE
    if sheet.key_pose_hints:
        settings["key_pose_hints"] = "; ".join(sheet.key_pose_hints)
    if sheet.mapped_hints:
        settings["key_poses"] = f"mapped by an operator: {SOFT_GUIDANCE}"
    if request.keywords:
        settings["keywords"] = ", ".join(request.keywords)
    return settings


def stage_of(
    sheet: Worksheet,
    frame: Frame,
    prompts: tuple[str, str],
    media: tuple[MediaInput, ...],
    parameters: Mapping[str, Scalar],
    **asked: bool,
) -> ComfyWorkflowStage:
    """The workflow's stage: profile and switches, prompts and seed, then the mode's parameters."""
    version, profile = sheet.version, sheet.profile
    prompt, negative = prompts
    return ComfyWorkflowStage(
        workflow=version.ref,
        precision=profile.precision,
        parameters={
            **profile.parameters,
            **switches_of(version, profile, **asked),
            "prompt": prompt,
            "negative_prompt": negative,
            "seed": sheet.seed,
            **parameters,
        },
        media=media,
        width_px=frame.width_px,
        height_px=frame.height_px,
        fps=frame.fps,
        segments=segments_of(frame.frames, version.manifest.frames),
    )
