"""Takes one prompt back from an engine: deleted if it waits, interrupted if it runs.

Owns the patience with engines that do not let go. It never touches another prompt and writes no
fact.
"""

from __future__ import annotations

import asyncio

import structlog

from contracts.events import CancelRequested
from engines.http.backoff import Backoff
from engines.http.errors import EngineError
from runtime.tails import BusUnavailable
from services.executor.adapters.engine_link import EngineLink
from services.executor.deps import AnyDeps

log = structlog.get_logger()

_PAUSE = Backoff(0.1, 2.0)


async def withdraw(deps: AnyDeps, prompt_id: str | None) -> bool:
    """True once the engine neither runs nor queues the prompt.

    An engine that is away or deep in a node that does not look gets `cancel_patience_s`; after
    that the prompt is remembered and withdrawn when the engine answers, and False returns.
    """
    if prompt_id is None:
        return True
    return await _withdraw(deps.link, prompt_id, deps.settings.cancel_patience_s)


async def _withdraw(link: EngineLink, prompt_id: str, patience_s: float) -> bool:
    attempt = 0
    try:
        async with asyncio.timeout(patience_s):
            while True:
                try:
                    if await link.withdraw(prompt_id, patience_s=patience_s):
                        return True
                except EngineError as trouble:
                    log.warning("cannot withdraw a prompt yet", reason=trouble.cause)
                await asyncio.sleep(_PAUSE.delay_s(attempt))
                attempt += 1
    except TimeoutError:
        log.warning("a prompt is withdrawn later", prompt_id=prompt_id)
        link.unwanted.add(prompt_id)
        return False


async def on_cancel_requested(event: CancelRequested, engines: tuple[AnyDeps, ...]) -> None:
    """Stops the job's step if this process holds it, or ends the job if our engine had it.

    A step in hand is told to stop and ends the job itself. A step assigned to an engine of ours
    that nobody has in hand (its engine is away, so nothing is pulled) is ended here. Anything
    else is another executor's, or the step's next delivery finds the cancel.
    """
    tickets = [ticket for deps in engines for ticket in deps.tickets.of_job(event.job_id)]
    if tickets:
        for ticket in tickets:
            ticket.stop.set()
        return
    try:
        for deps in engines:
            await _end_if_ours(event, deps)
    except BusUnavailable as trouble:
        # whoever is delivered the step later finds the cancel in the job's events
        log.warning("a cancel waits for the bus", reason=str(trouble))


async def _end_if_ours(event: CancelRequested, deps: AnyDeps) -> None:
    state = (await deps.bus.job(event.job_id)).state
    assigned = state.assigned
    if state.ended or assigned is None or assigned.engine_id != deps.link.engine_id:
        return
    if deps.lease.held:
        await withdraw(deps, assigned.comfy_prompt_id)
        await deps.ledger.cancelled(event)
