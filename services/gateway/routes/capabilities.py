"""What can be made here, in plain words, and the limits that a client should know before it asks.

For the studio: it shows only what is offered here.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from contracts.engines import Health
from contracts.errors import ErrorCode
from planning.limits import PlanLimits
from planning.matching import ModeAvailability, mode_availability
from planning.webui_matching import MotionClipAvailability, motion_clip_availability
from services.gateway.deps import Needs
from services.gateway.problems import responses
from services.gateway.queue_state import QueueStatus, QueueWarning

router = APIRouter(prefix="/api", tags=["capabilities"])


class UploadLimits(BaseModel):
    """The largest files accepted, in bytes."""

    image_bytes: int
    video_bytes: int
    audio_bytes: int


class EngineView(BaseModel):
    """An engine as a user may know it."""

    engine_id: str
    simulated: bool
    health: Health


class Capabilities(BaseModel):
    """Modes, stage chains, engines and limits. `simulated`: no real engine is known."""

    modes: list[ModeAvailability]
    motion_clip: MotionClipAvailability
    simulated: bool
    engines: list[EngineView]
    uploads: UploadLimits
    prompt_characters: int
    reference_images: int
    pose_sheets: int
    queue_warnings: list[QueueWarning]


@router.get("/capabilities", responses=responses(ErrorCode.UNAVAILABLE))
async def capabilities(deps: Needs) -> Capabilities:
    """Which modes, profiles and settings are offered here, and what is missing for the others."""
    engines = await deps.engines.all()
    limits = PlanLimits(size_override_px=deps.settings.size_px)
    return Capabilities(
        modes=mode_availability(await deps.workflows.current(), engines, limits),
        motion_clip=motion_clip_availability(engines),
        simulated=bool(engines) and all(e.simulated for e in engines),
        engines=[
            EngineView(engine_id=e.engine_id, simulated=e.simulated, health=e.health)
            for e in engines
        ],
        uploads=UploadLimits(
            image_bytes=deps.settings.upload_limit_bytes("image"),
            video_bytes=deps.settings.upload_limit_bytes("video"),
            audio_bytes=deps.settings.upload_limit_bytes("audio"),
        ),
        prompt_characters=limits.max_prompt_characters,
        reference_images=limits.max_reference_images,
        pose_sheets=limits.max_pose_sheets,
        queue_warnings=(await deps.outlook.status()).warnings,
    )


class RefreshAsked(BaseModel):
    """Which engines are looked at again: those that are known now."""

    engines: list[str]


@router.post(
    "/admin/capabilities/refresh", status_code=202, responses=responses(ErrorCode.UNAVAILABLE)
)
async def refresh(deps: Needs) -> RefreshAsked:
    """Have every engine asked at once what it can do, and not only when its time comes."""
    known = await deps.engines.refresh()
    return RefreshAsked(engines=[engine.engine_id for engine in known])


@router.get("/queue", responses=responses(ErrorCode.UNAVAILABLE))
async def queue(deps: Needs) -> QueueStatus:
    """How the queue stands: what waits and runs, and warnings when a job would wait long."""
    return await deps.outlook.status()
