"""Another attempt of a step, or the end of its job, as `attempts` decides.

Owns the counting of a step's attempts from the job's events. What an ending means for a kind of
engine is decided there.
"""

from __future__ import annotations

from contracts.errors import ErrorCode
from contracts.events import StepReady
from services.executor import attempts
from services.executor.deps import AnyDeps


async def tries(event: StepReady, deps: AnyDeps) -> int:
    """How many attempts of the step there were since the user last asked for a retry."""
    return attempts.tries_of((await deps.bus.job(event.job_id)).events, event.step)


async def after_loss(
    event: StepReady, deps: AnyDeps, detail: str, code: ErrorCode = ErrorCode.ENGINE_LOST
) -> None:
    """The engine lost the step: once more, within bounds. `detail` is for operators, and the job
    fails with `code` after the last attempt."""
    verdict = attempts.after_loss(
        await tries(event, deps), deps.settings.max_attempts, detail, code
    )
    await carry_out(verdict, event, deps)


async def carry_out(
    verdict: attempts.Again | attempts.GiveUp, event: StepReady, deps: AnyDeps
) -> None:
    """Writes what was decided."""
    match verdict:
        case attempts.Again(reason=reason):
            await deps.ledger.again(event, reason)
        case attempts.GiveUp(code=code, detail=detail):
            await deps.ledger.failed(event, code, detail)
