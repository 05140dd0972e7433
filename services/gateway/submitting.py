"""From a request to an accepted job: wait for its assets, plan once, remember the key, publish.

Owns the order that makes a crash harmless: the key is stored before the event is published, and a
repeat publishes the stored event again. Must not hold a planning rule.
"""

from __future__ import annotations

import asyncio
import secrets

import structlog
from prometheus_client import Counter

from contracts.base import canonical_bytes, sha256_hex
from contracts.errors import ErrorCode
from contracts.events import JobSubmitted
from contracts.lifecycle import PublicState
from contracts.plan import JobPlan
from planning.assets import KnownAsset
from planning.limits import PlanLimits
from planning.planner import Refusal, plan
from planning.requests import MAX_SEED, JobRequest
from runtime import tasks
from runtime.ids import new_id
from runtime.stamp import stamp
from runtime.telemetry import job_context
from services.gateway.access.caller import Caller
from services.gateway.adapters.db.idempotency import Submission
from services.gateway.deps import Deps
from services.gateway.fallbacks import fallback_view
from services.gateway.lookups import known_asset_row
from services.gateway.problems import Refused, refused
from services.gateway.projection import Row
from services.gateway.settings import MEGABYTE

log = structlog.get_logger()
SUBMITTED = Counter("animatrix_jobs_submitted", "Jobs accepted", ["mode"])
REFUSED = Counter("animatrix_jobs_refused", "Jobs refused at submit", ["mode", "code"])


def _known(row: Row) -> KnownAsset:
    return KnownAsset(
        asset_id=row["asset_id"],
        kind=row["kind"],
        sha256=row["sha256"],
        status=row["status"],
        facts=row["facts"],
        error=row["error"],
    )


async def _assets(
    deps: Deps, owner: str, request: JobRequest, wait_s: float
) -> dict[str, KnownAsset]:
    """What is known of the named assets, after waiting for those still being checked.

    Files of others are unknown to everyone, operators too: a job is made of its owner's files.
    """
    until_s = asyncio.get_running_loop().time() + wait_s
    rows = await deps.read.assets_named(request.asset_ids)
    found: dict[str, KnownAsset] = {}
    for asset_id in sorted(request.asset_ids):
        row = rows.get(asset_id)
        if row is None or row["status"] == "checking":
            row = await _decided(deps, owner, asset_id, until_s)
        if row is not None and row["owner"] == owner:
            found[asset_id] = _known(row)
    mapped = await deps.key_poses.of(found.keys() & set(request.pose_sheet_asset_ids))
    for asset_id, one in mapped.items():
        found[asset_id] = found[asset_id].model_copy(update={"key_poses": one.poses})
    return found


async def _decided(deps: Deps, owner: str, asset_id: str, until_s: float) -> Row | None:
    """The row of an asset once it was checked; at `until_s` of the loop's clock as it is then, and
    another owner's at once."""
    while (row := await known_asset_row(deps, asset_id)) is not None and row["owner"] == owner:
        left_s = until_s - asyncio.get_running_loop().time()
        if row["status"] != "checking" or left_s <= 0:
            break
        await deps.fanout.asset_news(asset_id, min(left_s, 0.5))
    return row


async def plan_request(
    deps: Deps, caller: Caller, request: JobRequest, *, wait_s: float
) -> JobPlan | Refusal:
    """The plan of a request, or every reason against it. No side effects. Raises BusUnavailable."""
    assets, workflows, engines = await tasks.side_by_side(
        _assets(deps, caller.owner, request, wait_s), deps.workflows.current(), deps.engines.all()
    )
    return plan(
        request,
        assets,
        workflows,
        engines,
        secrets.randbelow(MAX_SEED + 1),
        PlanLimits(size_override_px=deps.settings.size_px),
        deps.packs,
    )


async def submit(
    deps: Deps, caller: Caller, request: JobRequest, key: str | None
) -> tuple[str, PublicState]:
    """Accept a job of the caller; returns its id and state.

    The same key and request of the same owner give the same job. Raises
    Refused (the planner's reasons, IDEMPOTENCY_KEY_REUSED, TOO_MANY_JOBS, STORAGE_FULL),
    BusUnavailable.
    """
    asked = {"mode": request.mode, **request.model_dump(mode="json", exclude_unset=True)}
    body_sha256 = sha256_hex(canonical_bytes(asked))
    earlier = await deps.keys.find(caller.owner, key) if key else None
    if earlier is not None:
        return await _again(deps, earlier, body_sha256)
    full = asyncio.create_task(refuse_when_full(deps))
    try:
        planned = await plan_request(deps, caller, request, wait_s=deps.settings.wait_for_asset_s)
    finally:
        await full
    if isinstance(planned, Refusal):
        REFUSED.labels(request.mode, planned.errors[0].code).inc()
        offered = planned.fallback
        raise Refused(
            *planned.errors,
            fallback=fallback_view(offered).model_dump(mode="json") if offered else None,
        )
    event = JobSubmitted(**stamp(None), job_id=new_id(), owner=caller.owner, plan=planned)
    return await accept_planned(deps, caller, event, key, body_sha256)


async def accept_planned(
    deps: Deps, caller: Caller, event: JobSubmitted, key: str | None, body_sha256: str
) -> tuple[str, PublicState]:
    """Remember the caller's key, then publish; one that was used before gives the job of then.

    Raises Refused IDEMPOTENCY_KEY_REUSED, TOO_MANY_JOBS; BusUnavailable.
    """
    async with deps.limiter.room(caller.owner, event.job_id):
        return await _accept(deps, caller, event, key, body_sha256)


async def _accept(
    deps: Deps, caller: Caller, event: JobSubmitted, key: str | None, body_sha256: str
) -> tuple[str, PublicState]:
    if key:
        submission = Submission(caller.owner, key, body_sha256, event, event.occurred_at)
        if not await deps.keys.keep(submission):
            winner = await deps.keys.find(caller.owner, key)
            if winner is not None:
                return await _again(deps, winner, body_sha256)
    with job_context(job_id=event.job_id):
        await deps.bus.begin(event)
        SUBMITTED.labels(event.plan.mode).inc()
        log.info("job accepted", mode=event.plan.mode, seed=event.plan.seed)
    return event.job_id, "accepted"


async def _again(deps: Deps, earlier: Submission, body_sha256: str) -> tuple[str, PublicState]:
    if earlier.body_sha256 != body_sha256:
        raise refused(ErrorCode.IDEMPOTENCY_KEY_REUSED, field="Idempotency-Key")
    job_id = earlier.event.job_id
    state = (await deps.bus.job(job_id)).state.state
    if state is None:
        # The first attempt stored the key and died before it published.
        await deps.bus.begin(earlier.event)
    return job_id, state or "accepted"


async def refuse_when_full(deps: Deps, wanted_bytes: int = 0) -> None:
    """Refuse new work while the media store could not hold it. Raises Refused STORAGE_FULL."""
    free = await deps.media.free_bytes()
    if free is not None and free - wanted_bytes < deps.settings.min_free_mb * MEGABYTE:
        raise refused(ErrorCode.STORAGE_FULL)
