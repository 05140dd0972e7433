"""What follows when a prompt is over: outputs into the store, another attempt, or the end.

Owns the order store → step_finished → what follows. Rules of repeating are in `attempts`.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from contracts.errors import ErrorCode
from contracts.plan import StepResult
from engines.comfyui import (
    EngineError,
    Failed,
    Interrupted,
    Lost,
    Overdue,
    Record,
    Stalled,
    Succeeded,
)
from engines.comfyui import (
    Outcome as Ending,
)
from runtime import failpoints, tasks
from runtime.outcome import Ack, Outcome
from runtime.stamp import now
from services.executor import attempts, metrics, repeating
from services.executor.adapters.comfy_link import ComfyLink
from services.executor.adapters.transfers import (
    ResultAbsent,
    fetch_outputs,
    ran_out_of_memory,
    store_log,
)
from services.executor.cancelling import withdraw
from services.executor.comfyui.work import Work
from services.executor.deps import Deps, Seat

log = structlog.get_logger()

COLLECTING_TOLD_AFTER_S = 0.25
"""Outputs that are fetched sooner need no report: what follows tells that they are there."""


async def conclude(
    ending: Ending, work: Work, deps: Deps[ComfyLink], seat: Seat, started_s: float | None
) -> Outcome:
    """Carries out what an ending asks for and acks. Raises EngineError while outputs cannot come.

    `started_s` is when the start was seen, by the monotonic clock.
    """
    seen_running_s = time.monotonic() - started_s if started_s is not None else 0.0
    metrics.STEPS.labels(work.event.lane, type(ending).__name__.lower()).inc()
    log.info("prompt over", ending=type(ending).__name__.lower(), seen_running_s=seen_running_s)
    match ending:
        case Succeeded():
            seat.leave()
            await _succeeded(ending, work, deps, seen_running_s)
        case Failed():
            await _failed(ending, work, deps)
        case Interrupted():
            await _lost(ending, work, deps, "the prompt was interrupted from outside")
        case Lost():
            await _lost(ending, work, deps, "the engine no longer knows the prompt")
        case Overdue(after_s=after_s):
            await withdraw(deps, work.prompt_id)
            detail = f"ran {after_s:.0f} s, the step's deadline is {work.step.deadline_s} s"
            await deps.ledger.failed(work.event, ErrorCode.GENERATION_TIMEOUT, detail)
        case Stalled():
            await _stalled(ending, work, deps)
    return Ack()


async def _succeeded(
    ending: Succeeded, work: Work, deps: Deps[ComfyLink], seen_running_s: float
) -> None:
    telling = asyncio.create_task(_tell_collecting(work, deps))
    try:
        outputs, graph, engine_log = await tasks.side_by_side(
            fetch_outputs(deps.link, deps.media, work.step.outputs, ending.outputs, work.folder),
            work.kept.stored(),
            store_log(deps.media, work.folder, ending, ending.record),
        )
    except ResultAbsent as absent:
        await deps.ledger.failed(work.event, ErrorCode.RESULT_MISSING, str(absent))
        return
    finally:
        await tasks.end([telling])
    ran_s = _ran_s(ending.record, seen_running_s)
    waited_s = max(0.0, (now() - work.event.occurred_at).total_seconds() - ran_s)
    family = metrics.family_of(work.event.lane)
    metrics.GENERATION_SECONDS.labels(family).observe(ran_s)
    metrics.WAIT_SECONDS.labels(family).observe(waited_s)
    result = StepResult(
        step=work.event.step,
        attempt=work.event.attempt,
        comfy_prompt_id=work.prompt_id,
        engine=deps.link.used(),
        outputs=outputs,
        graph=graph,
        engine_log=engine_log,
        waited_s=waited_s,
        ran_s=ran_s,
    )
    failpoints.reach("after-finish-before-publish")
    await deps.ledger.finished(work.event, result)
    await deps.ledger.go_on(work.event, work.plan)


async def _tell_collecting(work: Work, deps: Deps[ComfyLink]) -> None:
    await asyncio.sleep(COLLECTING_TOLD_AFTER_S)
    await deps.bus.progress(work.progress("collecting", 1.0))


def _ran_s(record: Record | None, seen_running_s: float) -> float:
    """The engine's own measure where it gives one: both times are by its clock."""
    if record is None or record.started_ms is None or record.ended_ms is None:
        return seen_running_s
    return max(0.0, (record.ended_ms - record.started_ms) / 1000)


def failure_detail(failed: Failed) -> str:
    """What a node raised, for operators."""
    where = f"node {failed.node} ({failed.node_type})"
    return f"{where}: {failed.exception_type}: {failed.message}"


async def _failed(ending: Failed, work: Work, deps: Deps[ComfyLink]) -> None:
    await store_log(deps.media, work.folder, ending, ending.record)
    before = f"{work.folder.rpartition('-')[0]}-{work.event.attempt - 1}"
    verdict = attempts.after_failure(
        failure_detail(ending),
        oom=ending.oom,
        oom_before=await ran_out_of_memory(deps.media, before),
        tries=await repeating.tries(work.event, deps),
        max_attempts=deps.settings.max_attempts,
    )
    if isinstance(verdict, attempts.Again) and verdict.free_memory:
        try:
            await deps.link.client.free(unload_models=True, free_memory=True)
        except EngineError as trouble:
            log.warning("memory was not freed", reason=trouble.cause)
    await repeating.carry_out(verdict, work.event, deps)


async def _stalled(ending: Stalled, work: Work, deps: Deps[ComfyLink]) -> None:
    """The engine hangs: once more, elsewhere or after it was restarted, within bounds."""
    await store_log(deps.media, work.folder, ending, None)
    detail = f"no sign of life for {ending.after_s:.0f} s, "
    detail += "while it ran" if ending.running else "before it began"
    if not await withdraw(deps, work.prompt_id):
        deps.link.stuck.set()
        detail += "; the engine does not let go of it"
    await repeating.after_loss(work.event, deps, detail, ErrorCode.GENERATION_STALLED)


async def _lost(ending: Interrupted | Lost, work: Work, deps: Deps[ComfyLink], detail: str) -> None:
    await store_log(deps.media, work.folder, ending, None)
    await repeating.after_loss(work.event, deps, detail)
