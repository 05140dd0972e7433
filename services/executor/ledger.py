"""The facts that the executor writes: assigned, started, finished, what follows, and the end.

Owns every publish of the service. Each write that another service could contradict is made under
the job's lock and only while the lifecycle allows it. It decides nothing about engines.
"""

from __future__ import annotations

import structlog

from contracts import keys
from contracts.base import canonical_bytes
from contracts.errors import ErrorCode, error_info
from contracts.events import (
    AnyJobEvent,
    ExecutionFinished,
    JobCancelled,
    JobEvent,
    JobFailed,
    StepAssigned,
    StepFinished,
    StepReady,
    StepStarted,
)
from contracts.lifecycle import JobState
from contracts.plan import ExecutionReport, RunPlan, StepResult
from runtime.bus import Bus
from runtime.media_store import MediaStore
from runtime.stamp import stamp
from services.executor import attempts

log = structlog.get_logger()


class Ledger:
    """Writes facts of one executor process, named `executor_id`."""

    def __init__(self, bus: Bus, media: MediaStore, executor_id: str) -> None:
        self._bus = bus
        self._media = media
        self._executor_id = executor_id

    async def assign(
        self, event: StepReady, *, engine_id: str, epoch: int, prompt_id: str
    ) -> StepAssigned | None:
        """Claims the attempt for an engine; None when the job ended or moved on meanwhile."""

        def claim(state: JobState) -> AnyJobEvent | None:
            if state.cancel is not None or not attempts.is_current(state, event):
                return None
            return StepAssigned(
                **stamp(event),
                job_id=event.job_id,
                step=event.step,
                attempt=event.attempt,
                engine_id=engine_id,
                executor_id=self._executor_id,
                lease_epoch=epoch,
                comfy_prompt_id=prompt_id,
            )

        written = await self._bus.decide(event.job_id, claim)
        return written if isinstance(written, StepAssigned) else None

    async def started(
        self, event: StepReady, *, engine_id: str, prompt_id: str, simulated: bool
    ) -> None:
        """The engine began; stored once however often it is said, and not of a job that ended."""

        def start(state: JobState) -> AnyJobEvent | None:
            if not attempts.is_current(state, event) or _is_started(state, event, prompt_id):
                return None
            return StepStarted(
                **stamp(event),
                job_id=event.job_id,
                step=event.step,
                attempt=event.attempt,
                engine_id=engine_id,
                comfy_prompt_id=prompt_id,
                simulated=simulated,
            )

        await self._bus.decide(event.job_id, start)

    async def finished(self, event: StepReady, result: StepResult) -> None:
        """The step's outputs lie in the store; nothing is written if the job moved on."""

        def finish(state: JobState) -> AnyJobEvent | None:
            if not attempts.is_current(state, event):
                return None
            return StepFinished(**stamp(event), job_id=event.job_id, result=result)

        await self._bus.decide(event.job_id, finish)

    async def go_on(self, event: StepReady, plan: RunPlan) -> None:
        """Publishes what follows the finished steps: the next step, or the end of execution.

        Safe to repeat. A job with a pending cancel ends here as cancelled.
        """
        state = await self._bus.recent(event.job_id)
        if state.cancel is not None:
            await self.cancelled(event)
            return
        open_steps = [step for step in plan.steps if step.index not in state.finished]
        if open_steps:
            await self._ready(event, open_steps[0].index, plan)
        elif state.execution is None and not state.ended:
            await self._execution_finished(event, state, plan)

    async def _ready(self, event: StepReady, index: int, plan: RunPlan) -> None:
        step = plan.steps[index]

        def ready(state: JobState) -> AnyJobEvent | None:
            if state.ended or index in state.finished:
                return None
            if state.cancel is not None:
                return self._cancellation(event)
            return StepReady(
                **stamp(event),
                job_id=event.job_id,
                owner=event.owner,
                lane=step.lane,
                step=index,
                steps=len(plan.steps),
                stage=step.stage,
                segment=step.segment,
                attempt=state.attempt,
                run_plan=event.run_plan,
            )

        await self._bus.decide(event.job_id, ready)

    async def _execution_finished(self, event: StepReady, state: JobState, plan: RunPlan) -> None:
        report = ExecutionReport(
            job_id=event.job_id,
            attempt=state.attempt,
            run_plan=event.run_plan,
            results=tuple(state.finished[step.index].result for step in plan.steps),
        )
        key = keys.execution_report(event.job_id, state.attempt)
        stored = await self._media.put_bytes(key, canonical_bytes(report))

        def finish(now: JobState) -> AnyJobEvent | None:
            if now.ended or now.attempt != state.attempt:
                return None
            if now.cancel is not None:
                return self._cancellation(event)
            return ExecutionFinished(
                **stamp(event), job_id=event.job_id, attempt=state.attempt, report=stored
            )

        await self._bus.decide(event.job_id, finish)

    async def again(self, event: StepReady, reason: str) -> None:
        """Makes the step ready as the next attempt, unless the job moved on or is cancelled."""

        def ready(state: JobState) -> AnyJobEvent | None:
            if not attempts.is_current(state, event):
                return None
            if state.cancel is not None:
                return self._cancellation(event)
            return event.model_copy(update={**stamp(event), "attempt": event.attempt + 1})

        if await self._bus.decide(event.job_id, ready) is not None:
            log.warning("step runs again", attempt=event.attempt + 1, reason=reason)

    async def failed(self, event: StepReady, code: ErrorCode, detail: str) -> None:
        """Ends the job with an error; as cancelled, if that was asked for meanwhile."""

        def fail(state: JobState) -> AnyJobEvent | None:
            if not attempts.is_current(state, event):
                return None
            if state.cancel is not None:
                return self._cancellation(event)
            return JobFailed(
                **stamp(event),
                job_id=event.job_id,
                service="executor",
                error=error_info(code, detail=detail),
                step=event.step,
                attempt=event.attempt,
            )

        if await self._bus.decide(event.job_id, fail) is not None:
            log.error("job failed", code=code.value, detail=detail)

    async def cancelled(self, cause: JobEvent) -> None:
        """Ends a job whose cancel was requested; nothing is written if it has ended."""

        def end(state: JobState) -> AnyJobEvent | None:
            return None if state.ended or state.cancel is None else self._cancellation(cause)

        await self._bus.decide(cause.job_id, end)

    def _cancellation(self, cause: JobEvent) -> JobCancelled:
        return JobCancelled(**stamp(cause), job_id=cause.job_id, service="executor")


def _is_started(state: JobState, event: StepReady, prompt_id: str) -> bool:
    said = state.started
    return said is not None and (said.step, said.attempt, said.comfy_prompt_id) == (
        event.step,
        event.attempt,
        prompt_id,
    )
