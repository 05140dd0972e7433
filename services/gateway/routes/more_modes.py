"""Jobs of the modes beside Animate and Audio performance."""

from __future__ import annotations

from fastapi import APIRouter, Response

from planning.requests import MotionClipRequest, PoseControlRequest, StartEndRequest
from services.gateway.deps import Needs, Who
from services.gateway.routes.jobs import SUBMIT_PROBLEMS, IdempotencyKey, accept
from services.gateway.views import JobAccepted

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.post("/start-end", status_code=202, responses=SUBMIT_PROBLEMS)
async def submit_start_end(
    deps: Needs,
    caller: Who,
    response: Response,
    body: StartEndRequest,
    idempotency_key: IdempotencyKey = None,
) -> JobAccepted:
    """Make a video that begins with one picture, ends with another, or both."""
    return await accept(deps, caller, response, body, idempotency_key)


@router.post("/pose-control", status_code=202, responses=SUBMIT_PROBLEMS)
async def submit_pose_control(
    deps: Needs,
    caller: Who,
    response: Response,
    body: PoseControlRequest,
    idempotency_key: IdempotencyKey = None,
) -> JobAccepted:
    """Make a video of the character that follows a control video, or pose sheets held in turn."""
    return await accept(deps, caller, response, body, idempotency_key)


@router.post("/motion-clip", status_code=202, responses=SUBMIT_PROBLEMS)
async def submit_motion_clip(
    deps: Needs,
    caller: Who,
    response: Response,
    body: MotionClipRequest,
    idempotency_key: IdempotencyKey = None,
) -> JobAccepted:
    """Make a video by a chain of stages. A refusal may offer another chain in `fallback`; it is
    made only when it is sent."""
    return await accept(deps, caller, response, body, idempotency_key)
