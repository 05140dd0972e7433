"""What precedes every request of a WebUI step: its record, the claim on the attempt, the lease.

Owns the order: the request into the store, step_assigned under the job's lock, the lease confirmed
right before anything is sent.
"""

from __future__ import annotations

from typing import Any

from contracts.base import StoredFile, canonical_bytes
from engines.webui import CapabilityMissing
from runtime import failpoints
from runtime.media_store import MediaStore
from runtime.outcome import Retry
from services.executor.adapters.webui_link import WebuiLink
from services.executor.deps import CHANGED_RETRY_S, ELSEWHERE_RETRY_S, Deps
from services.executor.webui.capabilities import lacking
from services.executor.webui.work import Work


async def check_fit(work: Work, deps: Deps[WebuiLink]) -> Retry | None:
    """Whether this engine has what the step needs; Retry when another engine should take it.

    Raises CapabilityMissing when the lane is open here and the step itself needs what no engine
    has.
    """
    seen = deps.link.snapshot
    missing = lacking(work.step.config, seen.webui) if seen and seen.webui else ()
    if not missing or seen is None:
        return None
    others = (await deps.board.all()).values()
    if work.event.lane not in seen.lanes or any(
        other.engine_id != seen.engine_id
        and work.event.lane in other.lanes
        and other.webui is not None
        and not lacking(work.step.config, other.webui)
        for other in others
    ):
        return Retry(ELSEWHERE_RETRY_S, f"not on this engine: {'; '.join(missing)}")
    raise CapabilityMissing(deps.link.client.name, missing)


async def claim(work: Work, deps: Deps[WebuiLink], request: dict[str, Any]) -> Retry | None:
    """Claims the attempt for this engine; None when the request may be sent now, and only then.

    The prompt id stays among the link's `unsent` until `sending` is called.
    """
    await store_request(deps.media, work, request)
    assigned = await deps.ledger.assign(
        work.event,
        engine_id=deps.link.engine_id,
        epoch=deps.lease.epoch,
        prompt_id=work.prompt_id,
    )
    if assigned is None:
        return Retry(CHANGED_RETRY_S, "the job changed")
    deps.link.unsent.add(work.prompt_id)
    if not await deps.lease.confirm():
        return Retry(CHANGED_RETRY_S, "the lease on the engine is not ours")
    failpoints.reach("after-check-before-post")
    return None


async def store_request(media: MediaStore, work: Work, request: dict[str, Any]) -> StoredFile:
    """The request as sent, in the attempt's folder."""
    return await media.put_bytes(request_key(work), canonical_bytes(request))


def request_key(work: Work) -> str:
    """Where the request as sent lies."""
    return f"{work.folder}/request.json"
