"""The pictures a chain starts from, and what a request gives that nothing in its chain would use.

Must not know how stages are resolved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.errors import ErrorCode
from contracts.media import CropBox, ImageFacts, Role
from contracts.stages import MOST_STILLS
from planning.assets import KnownAsset
from planning.chain_requests import StageChoice
from planning.chain_shape import draws
from planning.requests import MotionClipRequest
from planning.sheet import Sheet


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that the chain starts from."""

    asset: KnownAsset
    role: Role
    index: int = 0
    crop: CropBox | None = None


def sources_of(
    sheet: Sheet, request: MotionClipRequest, asked: Sequence[StageChoice]
) -> list[Source]:
    """The attached stills in order, or the ground truth picture where img2img wants it."""
    stills = sheet.take_many("still_asset_ids", "still", MOST_STILLS)
    found = [Source(asset, "still", index) for index, asset in enumerate(stills)]
    if any(stage.kind == "img2img" for stage in asked):
        image = sheet.take_ground_truth()
        found += [Source(image, "ground_truth", crop=request.crop)] if image is not None else []
    sizes = {
        (a.facts.width_px, a.facts.height_px) for a in stills if isinstance(a.facts, ImageFacts)
    }
    if len(sizes) > 1:
        sheet.notes.append("The stills have different sizes; each is cropped to the same picture.")
    return found


def check_unused(sheet: Sheet, request: MotionClipRequest, asked: Sequence[StageChoice]) -> None:
    """What other modes use and this one, or this chain, does not."""
    for at in ("duration_override_seconds", "extension_segments"):
        if getattr(request, at) is not None:
            sheet.refuse(
                ErrorCode.SETTING_UNAVAILABLE,
                at,
                sentence="The stages say how long the video is.",
                remedy="Set num_frames and fps, or seconds_per_still.",
            )
    starts_from_picture = any(stage.kind == "img2img" for stage in asked)
    if request.ground_truth_asset_id and not starts_from_picture:
        sheet.refuse(
            ErrorCode.ASSET_UNUSED_IN_MODE,
            "ground_truth_asset_id",
            sentence="Only img2img starts from the ground truth picture.",
            remedy="Remove it, begin with img2img, or attach it as a still.",
        )
    if request.crop is not None and not starts_from_picture:
        sheet.refuse(
            ErrorCode.SETTING_UNAVAILABLE,
            "crop",
            sentence="The crop is of the ground truth picture, which only img2img uses.",
            remedy="Leave it out, or begin with img2img.",
        )
    if draws(asked):
        sheet.store_soft_guidance()
        return
    for at in ("reference_asset_ids", "pose_sheet_asset_ids", "key_pose_hints", "keywords"):
        if getattr(request, at):
            sheet.refuse(
                ErrorCode.SETTING_UNAVAILABLE,
                at,
                sentence="It would be said in the prompt, and no stage draws from the prompt.",
                remedy="Leave it out, or let a stage draw.",
            )
