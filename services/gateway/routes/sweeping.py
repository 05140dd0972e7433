"""For operators: remove what no job and no asset names, or see first what that is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import ErrorCode
from services.gateway.deps import Needs
from services.gateway.problems import refused, responses
from services.gateway.sweeping import Place, SweepRefused, sweep

router = APIRouter(prefix="/api/admin", tags=["admin"])
_C = ErrorCode
NAMED_AT_MOST = 1000
HOUR_S = 3600.0


class SweepOrder(BaseModel):
    """How to sweep. Younger files stay: an upload or a job may be about to name them."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = True
    grace_hours: float | None = Field(default=None, ge=1, le=24 * 365)


class OrphanView(BaseModel):
    """Something that nobody names; `name` is a media key, or a path on the gateway's machine."""

    place: Place
    name: str
    size_bytes: int


class SweepView(BaseModel):
    """What was removed, or would be. `orphans` names the first thousand; `young` ones stayed."""

    dry_run: bool
    count: int
    size_bytes: int
    young: int
    looked_at: int
    orphans: list[OrphanView]


@router.post("/gc", responses=responses(_C.BODY_INVALID, _C.UNAVAILABLE))
async def collect_garbage(deps: Needs, order: SweepOrder) -> SweepView:
    """Remove files that no job and no asset names; without `dry_run: false` only list them."""
    hours = deps.settings.sweep_grace_h if order.grace_hours is None else order.grace_hours
    try:
        done = await sweep(deps.grounds, hours * HOUR_S, dry_run=order.dry_run)
    except SweepRefused as why:
        raise refused(
            _C.UNAVAILABLE, sentence=f"Nothing was removed: {why}.", remedy="Try again later."
        ) from why
    return SweepView(
        dry_run=order.dry_run,
        count=len(done.orphans),
        size_bytes=done.size_bytes,
        young=done.young,
        looked_at=done.looked_at,
        orphans=[
            OrphanView(place=one.place, name=one.name, size_bytes=one.size_bytes)
            for one in done.orphans[:NAMED_AT_MOST]
        ],
    )
