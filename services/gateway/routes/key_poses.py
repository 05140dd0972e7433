"""For operators: which frames of a pose sheet are key poses, in words.

Soft guidance and nothing more: the words go into the prompt of jobs that name the sheet and give no
hints of their own (planning.sheet). No model sees the frames.
"""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from contracts.errors import ErrorCode
from contracts.media import ImageFacts, KeyPose, MediaFacts
from runtime.stamp import now
from services.gateway.adapters.db.key_poses import MappedPoses
from services.gateway.deps import Needs, Who
from services.gateway.lookups import find_asset
from services.gateway.problems import refused, responses
from services.gateway.projection import Row

router = APIRouter(prefix="/api/admin/assets", tags=["admin"])
_C = ErrorCode
_facts: TypeAdapter[MediaFacts] = TypeAdapter(MediaFacts)


class WhatToMap(BaseModel):
    """The key poses of a sheet, in order; none takes the mapping away."""

    model_config = ConfigDict(extra="forbid")

    poses: tuple[KeyPose, ...] = Field(max_length=8)


class KeyPosesView(BaseModel):
    """The key poses of a sheet, and who mapped them; both are None where nobody did."""

    asset_id: str
    poses: list[KeyPose]
    mapped_by: str | None
    mapped_at: datetime | None


@router.get("/{asset_id}/key-poses", responses=responses(_C.NOT_FOUND))
async def key_poses(deps: Needs, caller: Who, asset_id: str) -> KeyPosesView:
    """What is mapped on a pose sheet."""
    await find_asset(deps, caller, asset_id)
    found = (await deps.key_poses.of([asset_id])).get(asset_id)
    return _view(found or MappedPoses(asset_id, (), "", now()))


@router.put(
    "/{asset_id}/key-poses",
    responses=responses(
        _C.BODY_INVALID,
        _C.NOT_FOUND,
        _C.ASSET_WRONG_KIND,
        _C.ASSET_CHECKING,
        _C.CROP_OUTSIDE_IMAGE,
        _C.UNAVAILABLE,
    ),
)
async def map_key_poses(deps: Needs, caller: Who, asset_id: str, body: WhatToMap) -> KeyPosesView:
    """Map frames of a pose sheet to hints; jobs planned from now on say them in their prompt."""
    _check_frames(await find_asset(deps, caller, asset_id), body.poses)
    mapped = MappedPoses(asset_id, body.poses, caller.owner, now())
    await deps.key_poses.keep(mapped)
    return _view(mapped)


def _check_frames(row: Row, poses: tuple[KeyPose, ...]) -> None:
    """Raises Refused unless the asset is an image and every frame lies inside it."""
    if row["kind"] != "image":
        raise refused(_C.ASSET_WRONG_KIND, sentence="A pose sheet is an image.")
    facts = _facts.validate_python(row["facts"]) if row["facts"] else None
    if not isinstance(facts, ImageFacts):
        raise refused(_C.ASSET_CHECKING)
    for index, pose in enumerate(poses):
        frame = pose.frame
        if frame is None:
            continue
        right, bottom = frame.x_px + frame.width_px, frame.y_px + frame.height_px
        if right > facts.width_px or bottom > facts.height_px:
            raise refused(
                _C.CROP_OUTSIDE_IMAGE,
                remedy=f"Choose a frame inside {facts.width_px} × {facts.height_px} pixels.",
                field=f"poses.{index}.frame",
            )


def _view(mapped: MappedPoses) -> KeyPosesView:
    return KeyPosesView(
        asset_id=mapped.asset_id,
        poses=list(mapped.poses),
        mapped_by=mapped.mapped_by or None,
        mapped_at=mapped.mapped_at if mapped.mapped_by else None,
    )
