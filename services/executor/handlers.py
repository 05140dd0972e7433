"""What the executor does with a step that is ready: start it or take it over, and see it through.

Owns what is the same for every kind of engine. Decisions are in `attempts`, writes to the bus in
`ledger`; how a kind runs a step is its runner's affair (`comfyui`, `webui`).
"""

from __future__ import annotations

import structlog

from contracts.errors import ErrorCode
from contracts.events import StepReady
from engines.http.errors import EngineError
from runtime import tasks
from runtime.outcome import Ack, Outcome, Retry
from runtime.stamp import now
from services.executor import attempts
from services.executor.cancelling import withdraw
from services.executor.deps import ELSEWHERE_RETRY_S, AnyDeps, Known, Runner, Seat, Ticket
from services.executor.work import UnfitPlan, read_plan

log = structlog.get_logger()

BUSY_RETRY_S = 5.0


async def on_step_ready(event: StepReady, deps: AnyDeps, seat: Seat, run: Runner) -> Outcome:
    """Carries the step as far as it goes on this engine. `seat` is left when the engine is done.

    Ack when everything that follows is written; Retry when the engine is away, the lease was
    lost, or the step belongs to another engine.
    """
    with deps.tickets.enter(event) as ticket:
        if ticket is None:
            return Retry(BUSY_RETRY_S, "this process is at work on it")
        try:
            return await _carry(event, deps, seat, ticket, run)
        except UnfitPlan as unfit:
            await deps.ledger.failed(event, ErrorCode.WORKFLOW_BINDING_FAILED, str(unfit))
        except EngineError as trouble:
            log.warning("engine trouble", reason=trouble.cause)
            return Retry(deps.settings.retry_away_s, trouble.cause)
        return Ack()


async def _carry(
    event: StepReady, deps: AnyDeps, seat: Seat, ticket: Ticket, run: Runner
) -> Outcome:
    tail, plan = await tasks.side_by_side(deps.bus.job(event.job_id), read_plan(deps.media, event))
    state = tail.state
    match attempts.opening(state, event, deps.link.engine_id):
        case attempts.Drop(reason=reason):
            log.info("step dropped", reason=reason)
            return Ack()
        case attempts.Cancel(prompt_id=prompt_id):
            await withdraw(deps, prompt_id)
            await deps.ledger.cancelled(event)
            return Ack()
        case attempts.GoOn():
            await deps.ledger.go_on(event, plan)
            return Ack()
        case attempts.Elsewhere(engine_id=engine_id):
            return await _elsewhere(event, deps, engine_id)
        case attempts.Begin():
            return await run(event, seat, ticket, Known(state, plan), rejoin=False)
        case attempts.Rejoin():
            return await run(event, seat, ticket, Known(state, plan), rejoin=True)


async def _elsewhere(event: StepReady, deps: AnyDeps, engine_id: str) -> Outcome:
    snapshot = (await deps.board.all()).get(engine_id)
    if attempts.is_gone(snapshot, now(), deps.settings.engine_gone_s):
        await deps.ledger.again(event, f"engine {engine_id} is gone")
        return Ack()
    return Retry(ELSEWHERE_RETRY_S, f"engine {engine_id} holds this step")
