"""Runs one step on ComfyUI: submitted or taken over, followed, concluded.

Owns the order of effects: assign before posting, look before posting again. Endings are in
`endings`, the graph in `graphs`.
"""

from __future__ import annotations

import asyncio

import structlog

from contracts.errors import ErrorCode
from contracts.events import StepReady
from contracts.lifecycle import JobState
from engines.comfyui import Absent, PromptRefused, SubmitUncertain
from planning.needs import graph_shortfalls
from planning.registry import load_workflows
from runtime import failpoints, tasks
from runtime.outcome import Ack, Outcome, Retry
from runtime.stamp import now
from runtime.telemetry import span
from services.executor.adapters.comfy_link import ComfyLink
from services.executor.adapters.transfers import InputRejected, upload_inputs
from services.executor.cancelling import withdraw
from services.executor.comfyui import endings
from services.executor.comfyui.watching import Watch
from services.executor.comfyui.work import Work, read_work
from services.executor.deps import CHANGED_RETRY_S, ELSEWHERE_RETRY_S, Deps, Known, Seat, Ticket
from services.executor.stopping import until_over

log = structlog.get_logger()

ABSENT_LOOKS = 3
ABSENT_LOOK_EVERY_S = 0.3


class ComfyRunner:
    """Runs steps on one ComfyUI."""

    def __init__(self, deps: Deps[ComfyLink]) -> None:
        self._deps = deps

    async def __call__(
        self, event: StepReady, seat: Seat, ticket: Ticket, known: Known, *, rejoin: bool
    ) -> Outcome:
        """See Runner."""
        deps = self._deps
        try:
            return await _run(event, deps, seat, ticket, known, rejoin=rejoin)
        except InputRejected as rejected:
            await deps.ledger.failed(event, ErrorCode.ENGINE_UPLOAD_FAILED, str(rejected))
        except PromptRefused as refused:
            await deps.ledger.failed(event, ErrorCode.ENGINE_REFUSED, refusal_detail(refused))
        return Ack()


async def _run(
    event: StepReady,
    deps: Deps[ComfyLink],
    seat: Seat,
    ticket: Ticket,
    known: Known,
    *,
    rejoin: bool,
) -> Outcome:
    work = await read_work(deps.media, event, known)
    with (
        span(
            "executor.step",
            job_id=event.job_id,
            comfy_prompt_id=work.prompt_id,
            engine_id=deps.link.engine_id,
            lane=event.lane,
            step=event.step,
            attempt=event.attempt,
            rejoined=rejoin,
        ),
        structlog.contextvars.bound_contextvars(engine_id=deps.link.engine_id),
        deps.link.socket.listen(work.prompt_id) as hint,
    ):
        ran_already_s = _ran_already_s(known.state, work)
        if rejoin and not await _is_absent(deps, work.prompt_id):
            log.info("took over a running prompt")
        elif ran_already_s is None:
            hurdle = await _submit(work, deps)
            if hurdle is not None:
                return hurdle
        watch = Watch(work, deps, ran_already_s=ran_already_s)
        try:
            ending = await until_over(watch.outcome(hint), deps, ticket, event)
        finally:
            deps.link.clock.ends(work.prompt_id)
        if ending is None:
            await withdraw(deps, work.prompt_id)
            seat.leave()
            await deps.ledger.cancelled(event)
            return Ack()
        return await endings.conclude(ending, work, deps, seat, watch.started_s)


def _ran_already_s(state: JobState, work: Work) -> float | None:
    started = state.started
    if started is None or started.comfy_prompt_id != work.prompt_id:
        return None
    return max(0.0, (now() - started.occurred_at).total_seconds())


async def _is_absent(deps: Deps[ComfyLink], prompt_id: str) -> bool:
    """Whether the prompt is neither queued nor over at several looks; one proves nothing."""
    for look in range(ABSENT_LOOKS):
        if not isinstance(await deps.link.client.find(prompt_id), Absent):
            return False
        if look + 1 < ABSENT_LOOKS:
            await asyncio.sleep(ABSENT_LOOK_EVERY_S)
    return True


async def _submit(work: Work, deps: Deps[ComfyLink]) -> Outcome | None:
    """Uploads, assigns, and posts once. None when the prompt is, or may be, in the engine."""
    if await _fits_another_only(work, deps):
        return Retry(ELSEWHERE_RETRY_S, "another engine has what this step needs")
    # The engine need not wait for the disk; a graph that it refuses is kept all the same.
    storing = asyncio.create_task(work.kept.stored())
    try:
        return await _post(work, deps)
    finally:
        await storing


async def _post(work: Work, deps: Deps[ComfyLink]) -> Outcome | None:
    event, link = work.event, deps.link
    reused = await upload_inputs(link, deps.media, work.uploads)
    assigned, ours = await tasks.side_by_side(
        deps.ledger.assign(
            event, engine_id=link.engine_id, epoch=deps.lease.epoch, prompt_id=work.prompt_id
        ),
        deps.lease.confirm(),
    )
    if assigned is None:
        return Retry(CHANGED_RETRY_S, "the job changed")
    for last in (not reused, True):
        if not (ours and deps.lease.held):
            return Retry(CHANGED_RETRY_S, "the lease on the engine is not ours")
        failpoints.reach("after-check-before-post")
        try:
            await link.client.submit(
                work.graph, prompt_id=work.prompt_id, client_id=link.socket.client_id
            )
            failpoints.reach("after-post-before-ack")
            return None
        except SubmitUncertain as uncertain:
            # whether it was taken is seen by looking, never by posting again
            log.warning("submit uncertain", reason=uncertain.cause)
            return None
        except PromptRefused as refused:
            if last or not _names_a_missing_input(refused):
                raise
            link.uploaded.clear()
            await upload_inputs(link, deps.media, work.uploads)
            ours = await deps.lease.confirm()
    return None


async def _fits_another_only(work: Work, deps: Deps[ComfyLink]) -> bool:
    """Whether this engine lacks what the graph needs and another known engine has it."""
    seen = deps.link.snapshot
    if seen is None or not seen.node_classes:
        return False
    workflows = load_workflows()
    if not graph_shortfalls(workflows, work.graph, seen):
        return False
    return any(
        other.engine_id != seen.engine_id
        and work.event.lane in other.lanes
        and not graph_shortfalls(workflows, work.graph, other)
        for other in (await deps.board.all()).values()
    )


def _names_a_missing_input(refused: PromptRefused) -> bool:
    return any(error.kind == "custom_validation_failed" for error in refused.node_errors)


def refusal_detail(refused: PromptRefused) -> str:
    """The engine's own words about a refused graph, every node error on a line."""
    lines = [f"{refused.kind}: {refused.message} {refused.details}".rstrip()]
    lines += [
        f"node {e.node_id} ({e.class_type}) {e.input_name or ''}: {e.kind}: {e.message} {e.details}"
        for e in refused.node_errors
    ]
    return "\n".join(lines)
