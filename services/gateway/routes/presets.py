"""Style presets: settings under a name, for oneself or shared with everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import ErrorCode
from contracts.plan import AspectRatio, QualityProfile
from planning.requests import AudioAdherence, FramingMode
from runtime.ids import new_id
from runtime.stamp import now
from services.gateway.access.caller import Caller
from services.gateway.adapters.db.library import NameTaken
from services.gateway.deps import Deps, Needs, Who
from services.gateway.problems import refused, responses
from services.gateway.projection import Row
from services.gateway.routes.characters import Name, name_taken

router = APIRouter(prefix="/api/presets", tags=["presets"])

_C = ErrorCode
_PROBLEMS = responses(_C.BODY_INVALID, _C.NOT_FOUND, _C.FORBIDDEN)


class Style(BaseModel):
    """What a preset sets, in the words of a request; what is None is left as it is."""

    model_config = ConfigDict(extra="forbid")

    keywords: list[Annotated[str, Field(max_length=120)]] = Field(default=[], max_length=12)
    negative_prompt: str | None = Field(default=None, max_length=2000)
    aspect_ratio: AspectRatio | None = None
    quality_profile: QualityProfile | None = None
    relighting: bool | None = None
    framing_mode: FramingMode | None = None
    audio_adherence_profile: AudioAdherence | None = None


class PresetDraft(BaseModel):
    """A preset as it is saved."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    shared: bool = False
    style: Style


class PresetView(PresetDraft):
    """A preset; `own` says whether the caller may change it."""

    preset_id: str
    own: bool
    updated_at: datetime


class PresetList(BaseModel):
    """The caller's presets and shared ones, the latest saved first; at most 200."""

    presets: list[PresetView]


def _view(row: Row, caller: Caller) -> PresetView:
    return PresetView(
        preset_id=row["preset_id"],
        name=row["name"],
        shared=row["shared"],
        style=Style.model_validate(row["style"]),
        own=row["owner"] == caller.owner,
        updated_at=row["updated_at"],
    )


async def _own(deps: Deps, caller: Caller, preset_id: str) -> Row:
    row = await deps.presets.find(preset_id)
    if row is None or (row["owner"] != caller.owner and not row["shared"]):
        raise refused(_C.NOT_FOUND, sentence="There is no such preset.")
    if row["owner"] != caller.owner:
        raise refused(_C.FORBIDDEN, remedy="Save it under your own name instead.")
    return row


async def _save(deps: Deps, caller: Caller, preset_id: str, draft: PresetDraft) -> PresetView:
    try:
        await deps.presets.save(
            preset_id=preset_id,
            owner=caller.owner,
            name=draft.name,
            shared=draft.shared,
            style=draft.style.model_dump(mode="json"),
            at=now(),
        )
    except NameTaken as taken:
        raise name_taken(draft.name) from taken
    return _view(await _own(deps, caller, preset_id), caller)


@router.get("")
async def list_presets(deps: Needs, caller: Who) -> PresetList:
    """The caller's presets and those that others share."""
    rows = await deps.presets.list(caller.owner)
    return PresetList(presets=[_view(row, caller) for row in rows])


@router.post("", status_code=201, responses=_PROBLEMS)
async def save_preset(
    deps: Needs, caller: Who, response: Response, body: PresetDraft
) -> PresetView:
    """Save a new preset."""
    view = await _save(deps, caller, new_id(), body)
    response.headers["Location"] = f"/api/presets/{view.preset_id}"
    return view


@router.put("/{preset_id}", responses=_PROBLEMS)
async def change_preset(deps: Needs, caller: Who, preset_id: str, body: PresetDraft) -> PresetView:
    """Change a preset of one's own."""
    await _own(deps, caller, preset_id)
    return await _save(deps, caller, preset_id, body)


@router.delete("/{preset_id}", status_code=204, responses=_PROBLEMS)
async def delete_preset(deps: Needs, caller: Who, preset_id: str) -> None:
    """Forget a preset of one's own."""
    await _own(deps, caller, preset_id)
    await deps.presets.delete(preset_id)
