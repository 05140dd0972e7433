"""Characters: a ground truth with its references and pose sheets, named and versioned."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.errors import ErrorCode
from contracts.media import CropBox
from runtime.ids import new_id
from runtime.stamp import now
from services.gateway.access.caller import Caller
from services.gateway.adapters.db.library import NameTaken
from services.gateway.deps import Deps, Needs, Who
from services.gateway.lookups import find_asset
from services.gateway.problems import Refused, refused, responses
from services.gateway.projection import Row

router = APIRouter(prefix="/api/characters", tags=["characters"])

_C = ErrorCode
_AssetId = Annotated[str, Field(max_length=64)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
_PROBLEMS = responses(
    _C.BODY_INVALID, _C.NOT_FOUND, _C.ASSET_UNKNOWN, _C.ASSET_WRONG_KIND, _C.UNAVAILABLE
)


class CharacterContent(BaseModel):
    """What a character consists of: pictures by role."""

    model_config = ConfigDict(extra="forbid")

    ground_truth_asset_id: _AssetId
    crop: CropBox | None = None
    reference_asset_ids: list[_AssetId] = Field(default=[], max_length=8)
    pose_sheet_asset_ids: list[_AssetId] = Field(default=[], max_length=8)


class CharacterDraft(CharacterContent):
    """A character as it is saved."""

    name: Name


class CharacterView(CharacterContent):
    """A character in one version. `newest_version` tells whether there is a later one."""

    character_id: str
    name: str
    version: int
    newest_version: int
    thumbnail_url: str
    created_at: datetime


class CharacterList(BaseModel):
    """The caller's characters, the latest saved first; at most 200."""

    characters: list[CharacterView]


def _view(row: Row) -> CharacterView:
    content = CharacterContent.model_validate(row["content"])
    return CharacterView(
        **content.model_dump(),
        character_id=row["character_id"],
        name=row["name"],
        version=row["version"],
        newest_version=row["newest_version"],
        thumbnail_url=f"/api/assets/{content.ground_truth_asset_id}/thumbnail",
        created_at=row["created_at"],
    )


def name_taken(name: str) -> Refused:
    """The refusal of a name that the caller has given before."""
    return refused(
        _C.BODY_INVALID,
        sentence=f"There is already something named '{name}'.",
        remedy="Choose another name.",
        field="name",
    )


async def _own(deps: Deps, caller: Caller, character_id: str, version: int | None = None) -> Row:
    row = await deps.characters.find(character_id, version)
    if row is None or row["owner"] != caller.owner:
        raise refused(_C.NOT_FOUND, sentence="There is no such character.")
    return row


async def _only_pictures(deps: Deps, caller: Caller, content: CharacterContent) -> None:
    """Raises Refused for an asset that is not there for the caller, or no picture."""
    named = {
        "ground_truth_asset_id": [content.ground_truth_asset_id],
        "reference_asset_ids": content.reference_asset_ids,
        "pose_sheet_asset_ids": content.pose_sheet_asset_ids,
    }
    for field, asset_ids in named.items():
        for asset_id in asset_ids:
            try:
                row = await find_asset(deps, caller, asset_id)
            except Refused as unknown:
                raise refused(_C.ASSET_UNKNOWN, field=field) from unknown
            if row["kind"] != "image":
                raise refused(_C.ASSET_WRONG_KIND, field=field)


async def _save(deps: Deps, caller: Caller, character_id: str, draft: CharacterDraft) -> Row:
    await _only_pictures(deps, caller, draft)
    try:
        await deps.characters.save(
            character_id=character_id,
            owner=caller.owner,
            name=draft.name,
            content=draft.model_dump(mode="json", exclude={"name"}),
            at=now(),
        )
    except NameTaken as taken:
        raise name_taken(draft.name) from taken
    return await _own(deps, caller, character_id)


@router.get("")
async def list_characters(deps: Needs, caller: Who) -> CharacterList:
    """The caller's characters in their newest versions."""
    rows = await deps.characters.list(caller.owner)
    return CharacterList(characters=[_view(row) for row in rows])


@router.post("", status_code=201, responses=_PROBLEMS)
async def save_character(
    deps: Needs, caller: Who, response: Response, body: CharacterDraft
) -> CharacterView:
    """Save a new character as its version 1."""
    row = await _save(deps, caller, new_id(), body)
    response.headers["Location"] = f"/api/characters/{row['character_id']}"
    return _view(row)


@router.get("/{character_id}", responses=_PROBLEMS)
async def get_character(
    deps: Needs,
    caller: Who,
    character_id: str,
    version: Annotated[int | None, Query(ge=1)] = None,
) -> CharacterView:
    """A character in its newest or an earlier version."""
    return _view(await _own(deps, caller, character_id, version))


@router.put("/{character_id}", responses=_PROBLEMS)
async def change_character(
    deps: Needs, caller: Who, character_id: str, body: CharacterDraft
) -> CharacterView:
    """Save a new version; earlier ones stay as they are."""
    await _own(deps, caller, character_id)
    return _view(await _save(deps, caller, character_id, body))


@router.delete("/{character_id}", status_code=204, responses=_PROBLEMS)
async def delete_character(deps: Needs, caller: Who, character_id: str) -> None:
    """Forget a character; its pictures and the videos made with it stay."""
    await _own(deps, caller, character_id)
    await deps.characters.delete(character_id)
