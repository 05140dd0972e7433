"""Runs one step on a WebUI: begun or taken over, seen through, concluded.

Owns what calls and Deforum jobs have in common: the shelf, the telling, and the order pictures →
index → step_finished → what follows. How each lives is in `calls` and `batches`.
"""

from __future__ import annotations

import structlog

from contracts.errors import ErrorCode
from contracts.events import StepReady
from engines.webui import EngineError, EngineRefused, EngineUnreachable, UnfitSettings
from runtime.outcome import Ack, Outcome, Retry
from runtime.telemetry import span
from services.executor import repeating
from services.executor.adapters.pictures import Shelf, WrongPictures
from services.executor.adapters.webui_link import WebuiLink
from services.executor.deps import Deps, Known, Seat, Ticket
from services.executor.webui import batches, calls, endings
from services.executor.webui.telling import Teller
from services.executor.webui.work import Work, read_work

log = structlog.get_logger()


class WebuiRunner:
    """Runs steps on one WebUI."""

    def __init__(self, deps: Deps[WebuiLink]) -> None:
        self._deps = deps

    async def __call__(
        self, event: StepReady, seat: Seat, ticket: Ticket, known: Known, *, rejoin: bool
    ) -> Outcome:
        """See Runner."""
        deps = self._deps
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
        ):
            if rejoin:
                lost = await (batches if work.by_deforum else calls).loss(work, deps)
                if lost is not None:
                    await repeating.after_loss(event, deps, lost)
                    return Ack()
            return await _run(work, deps, ticket, seat)


async def _run(work: Work, deps: Deps[WebuiLink], ticket: Ticket, seat: Seat) -> Outcome:
    teller = Teller(work, deps)
    config = work.step.config
    shelf = Shelf(
        deps.media,
        work.folder,
        expected=work.step.expected_pictures,
        size_px=(config.width_px, config.height_px),
    )
    make = batches.make if work.by_deforum else calls.make
    try:
        async with teller.telling():
            made = await make(work, deps, ticket, seat, teller, shelf)
        if isinstance(made, Retry):
            return made
        if made is None:
            seat.leave()
            await deps.ledger.cancelled(work.event)
            return Ack()
        index = await shelf.close()
    except (EngineUnreachable, EngineRefused):
        raise  # the engine is away or does not let us in: nothing is said of the step
    except UnfitSettings as unfit:
        detail = f"never sent: {unfit}"
        await deps.ledger.failed(work.event, ErrorCode.WORKFLOW_BINDING_FAILED, detail)
    except WrongPictures as wrong:
        await endings.refused(work, deps, str(wrong))
    except EngineError as error:
        await endings.failed(error, work, deps)
    else:
        await endings.succeeded(index, made, work, deps, teller)
    return Ack()
