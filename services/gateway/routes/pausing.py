"""For operators: pause and resume an engine, a lane, or everything.

A pause stops new work within seconds; what an engine already holds goes on. Must not touch a job.
"""

from __future__ import annotations

from typing import Self

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.base import Token
from contracts.engines import Pause
from contracts.errors import ErrorCode
from planning.lanes import all_lanes
from runtime.stamp import now
from services.gateway.deps import Deps, Needs, Who
from services.gateway.problems import refused, responses

log = structlog.get_logger()
router = APIRouter(prefix="/api/admin/queue", tags=["admin"])
_C = ErrorCode
_PROBLEMS = responses(_C.BODY_NOT_JSON, _C.BODY_INVALID, _C.NOT_FOUND, _C.UNAVAILABLE)


class WhatToResume(BaseModel):
    """An engine, a lane, or (with neither) everything."""

    model_config = ConfigDict(extra="forbid")

    engine_id: Token | None = None
    lane: Token | None = None

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if self.engine_id is not None and self.lane is not None:
            raise ValueError("name an engine or a lane, not both")
        return self

    @property
    def what(self) -> str:
        """As the board of engines calls it."""
        if self.engine_id is not None:
            return f"engine.{self.engine_id}"
        return f"lane.{self.lane}" if self.lane is not None else "all"


class WhatToPause(WhatToResume):
    """The same, with the reason that others will read."""

    reason: str | None = Field(default=None, max_length=500)


class Pauses(BaseModel):
    """Everything that is paused now."""

    pauses: list[Pause]


async def _known(deps: Deps, asked: WhatToResume) -> None:
    engines = {engine.engine_id for engine in await deps.engines.all()}
    if asked.engine_id is not None and asked.engine_id not in engines:
        raise refused(
            _C.NOT_FOUND, sentence="There is no such engine.", remedy="See GET /api/admin/health."
        )
    if asked.lane is not None and asked.lane not in all_lanes(deps.workflows.released):
        raise refused(
            _C.NOT_FOUND, sentence="There is no such lane.", remedy="See GET /api/admin/queue."
        )


@router.post("/pause", responses=_PROBLEMS)
async def pause(deps: Needs, caller: Who, body: WhatToPause) -> Pauses:
    """Stop new work on an engine, a lane or everything; pausing again replaces the reason."""
    await _known(deps, body)
    await deps.engines.pause(Pause(what=body.what, by=caller.owner, at=now(), reason=body.reason))
    log.warning("paused", what=body.what, by=caller.owner, reason=body.reason)
    return Pauses(pauses=list(await deps.engines.pauses()))


@router.post("/resume", responses=_PROBLEMS)
async def resume(deps: Needs, caller: Who, body: WhatToResume) -> Pauses:
    """Let new work begin again. What is not paused, or gone meanwhile, is no error."""
    await deps.engines.resume(body.what)
    log.warning("resumed", what=body.what, by=caller.owner)
    return Pauses(pauses=list(await deps.engines.pauses()))
