"""What the planner knows of an asset, and the faults it finds in the assets of a request.

Must not open a file or ask a database: the caller says what is known.
"""

from __future__ import annotations

from typing import Literal

from contracts.base import Contract, Sha256, Uuid
from contracts.errors import ErrorCode, ErrorInfo, error_info
from contracts.media import CropBox, ImageFacts, KeyPose, MediaFacts, MediaKind

MIN_IMAGE_SIDE_PX = 64
MAX_IMAGE_ASPECT = 4.0


class KnownAsset(Contract):
    """An asset as the gateway knows it. `facts` stands when ready, `error` when rejected.

    `key_poses`: what an operator mapped on it, where it is a pose sheet.
    """

    asset_id: Uuid
    kind: MediaKind
    sha256: Sha256
    status: Literal["checking", "ready", "rejected"]
    facts: MediaFacts | None = None
    error: ErrorInfo | None = None
    key_poses: tuple[KeyPose, ...] = ()


def asset_fault(
    asset: KnownAsset | None, asset_id: str, kind: MediaKind, field: str
) -> ErrorInfo | None:
    """Why an asset cannot stand in a field that wants `kind`, or None when it can."""
    if asset is None:
        return error_info(ErrorCode.ASSET_UNKNOWN, field=field, detail=f"no asset {asset_id}")
    if asset.kind != kind:
        return error_info(
            ErrorCode.ASSET_WRONG_KIND,
            sentence=f"Here {_a(kind)} is needed, and the attached file is {_a(asset.kind)}.",
            remedy=f"Attach {_a(kind)} instead.",
            field=field,
        )
    if asset.status == "rejected":
        return error_info(
            ErrorCode.ASSET_REJECTED,
            sentence=asset.error.sentence if asset.error else None,
            remedy=asset.error.remedy if asset.error else None,
            field=field,
            detail=asset.error.detail if asset.error else None,
        )
    if asset.status == "checking" or asset.facts is None:
        return error_info(ErrorCode.ASSET_CHECKING, field=field)
    if asset.facts.kind != kind:
        return error_info(ErrorCode.ASSET_WRONG_KIND, field=field, detail="facts of another kind")
    return None


def image_faults(facts: ImageFacts, crop: CropBox | None, field: str) -> list[ErrorInfo]:
    """Faults of a ground-truth image (SRS §10): too small, too narrow, or a crop outside it."""
    width_px, height_px = facts.width_px, facts.height_px
    if crop is not None:
        right, bottom = crop.x_px + crop.width_px, crop.y_px + crop.height_px
        if right > width_px or bottom > height_px:
            return [
                error_info(
                    ErrorCode.CROP_OUTSIDE_IMAGE,
                    remedy=f"Choose a rectangle inside {width_px} × {height_px} pixels.",
                    field="crop",
                )
            ]
        width_px, height_px = crop.width_px, crop.height_px
        field = "crop"
    faults = []
    if min(width_px, height_px) < MIN_IMAGE_SIDE_PX:
        what = "crop" if crop else "image"
        faults.append(
            error_info(
                ErrorCode.IMAGE_TOO_SMALL,
                sentence=f"The {what} is too small: {width_px} × {height_px} pixels.",
                field=field,
            )
        )
    if max(width_px, height_px) > MAX_IMAGE_ASPECT * min(width_px, height_px):
        faults.append(error_info(ErrorCode.IMAGE_ASPECT_EXTREME, field=field))
    return faults


def _a(kind: MediaKind) -> str:
    return {"image": "an image", "video": "a video", "audio": "an audio file"}[kind]
