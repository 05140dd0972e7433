"""Work on a step that ends early when its job must not go on.

Owns the watch over the job while a step is in hand. It touches no engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from contracts.events import StepReady
from runtime import tasks
from runtime.tails import BusUnavailable
from services.executor import attempts
from services.executor.deps import AnyDeps, Ticket

log = structlog.get_logger()

T = TypeVar("T")


async def until_over(
    work: Coroutine[Any, Any, T],
    deps: AnyDeps,
    ticket: Ticket,
    event: StepReady,
    *,
    on_stop: Callable[[asyncio.Task[T]], Awaitable[None]] | None = None,
) -> T | None:
    """What the work yields, or None when the job must not go on: cancelled, or ended by others.

    `on_stop` may then let the work end by itself; whatever still runs after it is cancelled, and
    whatever it yields is not looked at.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(_job_stops(deps, ticket, event))
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        stopping.result()
        if on_stop is not None:
            await on_stop(working)
        return None
    finally:
        await tasks.end((working, stopping))


async def _job_stops(deps: AnyDeps, ticket: Ticket, event: StepReady) -> None:
    """Returns when the job is cancelled or was ended by another service."""
    while True:
        try:
            async with asyncio.timeout(deps.settings.job_look_interval_s):
                await ticket.stop.wait()
                return
        except TimeoutError:
            pass
        try:
            state = (await deps.bus.job(event.job_id)).state
        except BusUnavailable as trouble:
            log.warning("the job cannot be looked at", reason=str(trouble))
            continue
        if state.cancel is not None or not attempts.is_current(state, event):
            return
