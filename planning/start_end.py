"""Plans Start and end frame: a video that begins or ends with given pictures, or both.

Must not check what every mode shares: that is the worksheet's.
"""

from __future__ import annotations

from typing import Literal

from contracts.errors import ErrorCode
from contracts.media import ImageFacts
from contracts.plan import JobPlan
from contracts.stages import MediaInput
from planning.assets import KnownAsset, image_faults
from planning.durations import frames_without_source
from planning.recipes import image_order
from planning.requests import StartEndRequest
from planning.resolution import frame_of, prompts_of, shared_settings, stage_of
from planning.worksheet import Worksheet

FrameRole = Literal["start_frame", "end_frame"]
FRAMES: tuple[FrameRole, ...] = ("start_frame", "end_frame")


def plan_start_end(sheet: Worksheet, request: StartEndRequest) -> JobPlan | None:
    """The plan, or None when the sheet holds faults."""
    sheet.check_prompts()
    given = _given(sheet, request)
    sheet.refuse_foreign("ground_truth_asset_id", "Animate")
    _refuse_crop(sheet, request)
    sheet.store_soft_guidance()
    size = sheet.check_size()
    frames = frames_without_source(sheet)
    sheet.check_engines()
    if sheet.faults or size is None or frames is None:
        return None
    frame = frame_of(sheet, size, frames)
    prompts = prompts_of(sheet)
    return JobPlan(
        mode="start_end",
        prompt=request.prompt,
        resolved_prompt=prompts[0],
        negative_prompt=prompts[1],
        seed=sheet.seed,
        aspect_ratio=size[0],
        quality_profile=request.quality_profile,
        settings={
            "frames_given": " and ".join(given),
            **shared_settings(sheet, frame),
        },
        assets=tuple(sheet.uses),
        media=tuple(image_order(asset, role, frame) for role, asset in given.items()),
        stages=(
            stage_of(
                sheet,
                frame,
                prompts,
                tuple(MediaInput(parameter=role, role=role) for role in given),
                {},
            ),
        ),
        delivery=frame,
        notes=tuple(sheet.notes),
    )


def _given(sheet: Worksheet, request: StartEndRequest) -> dict[FrameRole, KnownAsset]:
    """The frames that were given, each large enough; at least one must be."""
    if not request.start_frame_asset_id and not request.end_frame_asset_id:
        sheet.refuse(ErrorCode.FRAME_MISSING, "start_frame_asset_id")
        return {}
    found: dict[FrameRole, KnownAsset] = {}
    for role in FRAMES:
        at = f"{role}_asset_id"
        if not getattr(request, at):
            continue
        taken = sheet.take(at, role, "image", ErrorCode.FRAME_MISSING)
        if taken is not None and isinstance(taken[1], ImageFacts):
            sheet.faults.extend(image_faults(taken[1], None, at))
            found[role] = taken[0]
    return found


def _refuse_crop(sheet: Worksheet, request: StartEndRequest) -> None:
    if request.crop is not None:
        sheet.refuse(
            ErrorCode.SETTING_UNAVAILABLE,
            "crop",
            sentence="A crop belongs to a character image, and this mode has none.",
            remedy="Crop the start and end frames before you upload them.",
        )
