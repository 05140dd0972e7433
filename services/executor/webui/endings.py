"""What follows when a run is over: its index on record, another attempt, or the end.

Owns the order index → step_finished → what follows, and the healing of an engine in which an
earlier animation left its motion module. Rules of repeating are in `failures`.
"""

from __future__ import annotations

import json
import time
from typing import Any

import structlog

from contracts.base import StoredFile, sha256_hex
from contracts.errors import ErrorCode
from contracts.plan import StepOutput, StepResult
from contracts.stages import VideoFramesStage
from engines.webui import (
    AnimateDiffSettings,
    EngineError,
    Interrupted,
    JobCancelled,
    ResultLost,
    Stopped,
    Txt2Img,
    animate,
)
from runtime import failpoints
from runtime.media_store import MediaStore
from runtime.stamp import now
from services.executor import metrics, repeating
from services.executor.adapters.transfers import ran_out_of_memory
from services.executor.adapters.webui_link import WebuiLink
from services.executor.deps import Deps
from services.executor.webui import failures
from services.executor.webui.submitting import request_key
from services.executor.webui.telling import Teller
from services.executor.webui.work import OUTPUT, Work

log = structlog.get_logger()

HEALING_DEADLINE_S = 300.0


async def succeeded(
    index: StoredFile, said: dict[str, Any], work: Work, deps: Deps[WebuiLink], teller: Teller
) -> None:
    """Writes that the step is finished, and what follows. Raises BusUnavailable."""
    await teller.begin()
    ran_s = time.monotonic() - teller.started_s if teller.started_s is not None else 0.0
    waited_s = max(0.0, (now() - work.event.occurred_at).total_seconds() - ran_s)
    family = metrics.family_of(work.event.lane)
    metrics.STEPS.labels(work.event.lane, "succeeded").inc()
    metrics.GENERATION_SECONDS.labels(family).observe(ran_s)
    metrics.WAIT_SECONDS.labels(family).observe(waited_s)
    filename = index.key.rpartition("/")[2]
    result = StepResult(
        step=work.event.step,
        attempt=work.event.attempt,
        comfy_prompt_id=work.prompt_id,
        engine=deps.link.used(),
        outputs=(StepOutput(name=OUTPUT, node="", filename=filename, file=index),),
        graph=await _stored_request(deps.media, work),
        engine_log=await store_log(deps.media, work, {"outcome": "succeeded", **said}),
        waited_s=waited_s,
        ran_s=ran_s,
    )
    log.info("run over", ending="succeeded", ran_s=ran_s)
    failpoints.reach("after-finish-before-publish")
    await deps.ledger.finished(work.event, result)
    await deps.ledger.go_on(work.event, work.plan)


async def _stored_request(media: MediaStore, work: Work) -> StoredFile:
    key = request_key(work)
    data = await media.read_bytes(key)
    return StoredFile(key=key, sha256=sha256_hex(data), size_bytes=len(data))


async def refused(work: Work, deps: Deps[WebuiLink], detail: str) -> None:
    """The pictures that came are not those the step must leave."""
    metrics.STEPS.labels(work.event.lane, "failed").inc()
    await store_log(deps.media, work, {"outcome": "refused", "detail": detail})
    await deps.ledger.failed(work.event, ErrorCode.RESULT_INVALID, detail)


async def failed(error: EngineError, work: Work, deps: Deps[WebuiLink]) -> None:
    """Another attempt, or the end of the job, as `failures` decides. Raises BusUnavailable."""
    oom = failures.is_out_of_memory(error)
    kind = type(error).__name__
    metrics.STEPS.labels(work.event.lane, "failed").inc()
    log.warning("run over", ending=kind, reason=error.cause)
    told = {"outcome": "failed", "kind": kind, "detail": error.cause, "out_of_memory": oom}
    await store_log(deps.media, work, told)
    before = f"{work.folder.rpartition('-')[0]}-{work.event.attempt - 1}"
    known = failures.Situation(
        tries=await repeating.tries(work.event, deps),
        max_attempts=deps.settings.max_attempts,
        oom_before=await ran_out_of_memory(deps.media, before),
        plain=_is_plain(work, deps),
    )
    verdict = failures.verdict_on(error, known)
    await _leave_nothing_behind(error, work, deps)
    if failures.is_poisoned(error, plain=known.plain):
        await _heal(deps)
    await repeating.carry_out(verdict, work.event, deps)


async def _leave_nothing_behind(error: EngineError, work: Work, deps: Deps[WebuiLink]) -> None:
    """Has a run that may still go on stopped, now or when the engine answers again."""
    gone_on = isinstance(error, ResultLost | Interrupted) or (
        isinstance(error, JobCancelled) and error.stopped is Stopped.MAY_RUN
    )
    if not gone_on:
        return
    try:
        over = await deps.link.withdraw(work.prompt_id, patience_s=deps.settings.cancel_patience_s)
    except EngineError as trouble:
        log.warning("a lost run is stopped later", reason=trouble.cause)
        over = False
    if not over:
        deps.link.unwanted.add(work.prompt_id)


def _is_plain(work: Work, deps: Deps[WebuiLink]) -> bool:
    seen, config = deps.link.snapshot, work.step.config
    there = seen.webui.animatediff if seen is not None and seen.webui is not None else None
    animated = isinstance(config, VideoFramesStage) and not work.by_deforum
    return there is not None and bool(there.txt2img_keys) and not animated


async def _heal(deps: Deps[WebuiLink]) -> None:
    """Runs the smallest animation there is: only one that succeeds takes the module out again."""
    client, seen = deps.link.client, deps.link.snapshot
    there = seen.webui.animatediff if seen is not None and seen.webui is not None else None
    if there is None or not there.usable:
        return
    asked = Txt2Img(prompt="healing", seed=0, steps=1, width_px=64, height_px=64)
    smallest = AnimateDiffSettings(model=there.motion_models[0], frames=2)
    try:
        await animate(
            client,
            asked,
            smallest,
            shown=there.txt2img_keys,
            models=there.motion_models,
            deadline_s=HEALING_DEADLINE_S,
        )
    except EngineError as trouble:
        log.warning("the engine stays broken", reason=trouble.cause)
    else:
        log.warning("the engine was healed of a motion module that was left in it")


async def store_log(media: MediaStore, work: Work, told: dict[str, Any]) -> StoredFile:
    """What the engine said of the run, as `engine_log.json` in the attempt's folder."""
    data = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False, default=str).encode()
    return await media.put_bytes(f"{work.folder}/engine_log.json", data)
