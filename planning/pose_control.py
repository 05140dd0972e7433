"""Plans Pose control: the character follows a control video, or pose sheets held in turn.

A control video is read as poses or edges, or is a ready-made depth video. Pose sheets become a
sequence in which each is held for an equal share: still poses, not a recorded motion, and the
plan says so. Must not check what every mode shares: that is the worksheet's.
"""

from __future__ import annotations

from contracts.base import Scalar
from contracts.errors import ErrorCode
from contracts.media import MediaOrder, VideoFacts
from contracts.plan import Frame, JobPlan
from contracts.stages import MediaInput
from planning.assets import KnownAsset
from planning.durations import frames_of_video, frames_without_source
from planning.recipes import image_order, sound_order, video_order
from planning.requests import PoseControlRequest
from planning.resolution import frame_of, prompts_of, shared_settings, stage_of
from planning.worksheet import Worksheet

MAX_SEQUENCE = 8
"""The pose sheet workflow has places for so many pictures."""

SEQUENCE_NOTE = (
    "The pose sheets are held one after the other, each for an equal share of the video: "
    "a sequence of still poses, not a recorded motion."
)


def plan_pose_control(sheet: Worksheet, request: PoseControlRequest) -> JobPlan | None:
    """The plan, or None when the sheet holds faults."""
    sheet.check_prompts()
    image = sheet.take_ground_truth()
    sheeted = request.submode == "pose_sheet"
    if sheeted:
        sheets = _sheets(sheet, request)
        sheet.store_soft_guidance(poses=False)
        frames = frames_without_source(sheet)
        taken = None
    else:
        sheets = []
        taken = sheet.take(
            "control_video_asset_id", "control_video", "video", ErrorCode.CONTROL_MISSING
        )
        sheet.store_soft_guidance()
        facts = taken[1] if taken else None
        frames = (
            frames_of_video(sheet, facts, "control_video_asset_id")
            if isinstance(facts, VideoFacts)
            else None
        )
    size = sheet.check_size()
    sheet.check_engines()
    if sheet.faults or image is None or size is None or frames is None:
        return None
    frame = frame_of(sheet, size, frames)
    prompts = prompts_of(sheet, soft_poses=not sheeted)
    orders = [image_order(image, "ground_truth", frame, request.crop)]
    media = [MediaInput(parameter="character", role="ground_truth")]
    parameters: dict[str, Scalar] = {}
    if "pose_resolution" in sheet.version.bindings.parameters:
        parameters["pose_resolution"] = min(frame.width_px, frame.height_px)
    has_audio = False
    if taken is not None:
        has_audio = isinstance(taken[1], VideoFacts) and taken[1].has_audio
        orders += _video_orders(taken[0], frame, has_audio=has_audio)
        media.append(MediaInput(parameter="control", role="control_video"))
    else:
        for index, pose in enumerate(sheets):
            orders.append(image_order(pose, "pose_sheet", frame, index=index))
            media.append(MediaInput(parameter=f"pose_{index + 1}", role="pose_sheet", index=index))
        parameters |= sequence_parameters(len(sheets), frame.frames)
        sheet.notes.append(SEQUENCE_NOTE)
    return JobPlan(
        mode="pose_control",
        prompt=request.prompt,
        resolved_prompt=prompts[0],
        negative_prompt=prompts[1],
        seed=sheet.seed,
        aspect_ratio=size[0],
        quality_profile=request.quality_profile,
        settings={
            "control": "pose sheet sequence" if sheeted else request.control_kind,
            **shared_settings(sheet, frame, soft_poses=not sheeted),
        },
        assets=tuple(sheet.uses),
        media=tuple(orders),
        stages=(stage_of(sheet, frame, prompts, tuple(media), parameters),),
        delivery=frame,
        soundtrack="soundtrack" if has_audio else None,
        notes=tuple(sheet.notes),
    )


def sequence_parameters(sheets: int, frames: int) -> dict[str, Scalar]:
    """How long each place of the sequence is held, and which places are there at all.

    Shares differ by one frame at most, the earlier ones are longer; places without a picture are
    switched off.
    """
    share, left = divmod(frames, sheets)
    holds = [share + (n < left) for n in range(sheets)] + [1] * (MAX_SEQUENCE - sheets)
    found: dict[str, Scalar] = {f"hold_{n + 1}": hold for n, hold in enumerate(holds)}
    found |= {f"pose_{n + 1}": n < sheets for n in range(1, MAX_SEQUENCE)}
    return found


def _video_orders(video: KnownAsset, frame: Frame, *, has_audio: bool) -> list[MediaOrder]:
    orders = [video_order(video, "control_video", frame, has_audio=False)]
    return [*orders, sound_order(video, "soundtrack", frame)] if has_audio else orders


def _sheets(sheet: Worksheet, request: PoseControlRequest) -> list[KnownAsset]:
    if request.control_kind != "pose":
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            "control_kind",
            sentence="Pose sheets are read as poses.",
            remedy="Choose pose, or attach a control video.",
        )
    limit = min(MAX_SEQUENCE, sheet.limits.max_pose_sheets)
    return sheet.take_many("pose_sheet_asset_ids", "pose_sheet", limit)
