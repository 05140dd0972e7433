"""For operators: make an ended job again, or see first what that would publish; rebuild the read
model from the streams."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import ErrorCode
from contracts.events import RestartAt
from contracts.subjects import subject_of
from runtime.ids import new_id
from runtime.stamp import now
from runtime.telemetry import job_context
from services.gateway.adapters.db.rebuilds import Rebuild, RebuildState
from services.gateway.deps import Needs, Who
from services.gateway.problems import refused, responses
from services.gateway.replaying import replay_job

router = APIRouter(prefix="/api/admin", tags=["admin"])
_C = ErrorCode


class ReplayOrder(BaseModel):
    """How to make a job again. `start` applies to another attempt of a failed job; a version of
    its workflow makes a new job; with `dry_run` nothing is published."""

    model_config = ConfigDict(extra="forbid")

    start: RestartAt | None = None
    workflow_version: str | None = Field(default=None, min_length=1, max_length=32)
    dry_run: bool = False


class ReplayView(BaseModel):
    """What was published, or would be. `job_id` is the job that runs: in a dry run of a new job
    only an example."""

    kind: Literal["another_attempt", "new_job"]
    dry_run: bool
    job_id: str
    from_job_id: str
    subject: str
    event: dict[str, Any]
    keeps: list[str]
    repeats: list[str]


@router.post(
    "/replay/{job_id}",
    status_code=202,
    responses=responses(
        _C.NOT_FOUND,
        _C.JOB_NOT_FINISHED,
        _C.JOB_NOT_RETRYABLE,
        _C.SETTINGS_CONFLICT,
        _C.WORKFLOW_VERSION_UNFIT,
        _C.UNAVAILABLE,
    ),
)
async def replay(
    deps: Needs,
    caller: Who,
    job_id: str,
    order: ReplayOrder,
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)
    ] = None,
) -> ReplayView:
    """Run a failed job again as another attempt, or make any other ended job again as a new one."""
    with job_context(job_id=job_id):
        made, runs = await replay_job(
            deps,
            caller,
            job_id,
            order.start,
            order.workflow_version,
            dry_run=order.dry_run,
            key=idempotency_key,
        )
    event = made.event.model_copy(update={"job_id": runs})
    return ReplayView(
        kind="new_job" if made.is_new_job else "another_attempt",
        dry_run=order.dry_run,
        job_id=runs,
        from_job_id=job_id,
        subject=subject_of(event),
        event=event.model_dump(mode="json"),
        keeps=list(made.keeps),
        repeats=list(made.repeats),
    )


class RebuildView(BaseModel):
    """A rebuild of the read model. Both hashes are of every row at the same two sequences; they
    must be equal, and `identical` says whether they are (None before the end)."""

    rebuild_id: str
    state: RebuildState
    requested_by: str
    requested_at: datetime
    jobs_sequence: int | None
    assets_sequence: int | None
    before_sha256: str | None
    after_sha256: str | None
    identical: bool | None
    took_s: float | None


def _view(rebuild: Rebuild) -> RebuildView:
    ended, began = rebuild.ended_at, rebuild.began_at
    return RebuildView(
        rebuild_id=rebuild.rebuild_id,
        state=rebuild.state,
        requested_by=rebuild.requested_by,
        requested_at=rebuild.requested_at,
        jobs_sequence=rebuild.jobs_sequence,
        assets_sequence=rebuild.assets_sequence,
        before_sha256=rebuild.before_sha256,
        after_sha256=rebuild.after_sha256,
        identical=rebuild.before_sha256 == rebuild.after_sha256 if ended else None,
        took_s=(ended - began).total_seconds() if ended and began else None,
    )


@router.post("/rebuilds", status_code=202, responses=responses(_C.UNAVAILABLE))
async def ask_for_rebuild(deps: Needs, caller: Who) -> RebuildView:
    """Drop the read model and rebuild it from the streams. Lists are incomplete meanwhile; jobs
    go on. One that is under way is returned instead of a second one."""
    asked = Rebuild(new_id(), "requested", requested_by=caller.owner, requested_at=now())
    return _view(await deps.rebuilds.ask(asked))


@router.get("/rebuilds/{rebuild_id}", responses=responses(_C.NOT_FOUND, _C.UNAVAILABLE))
async def rebuild(deps: Needs, rebuild_id: str) -> RebuildView:
    """How far a rebuild is, and whether it came out the same."""
    found = await deps.rebuilds.find(rebuild_id)
    if found is None:
        raise refused(_C.NOT_FOUND, sentence="There is no such rebuild.")
    return _view(found)
