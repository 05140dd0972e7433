"""Any history that a job may have, for property tests: a walk along the events that may follow.

Owns which events are tried in a state: right and wrong ones. Must not ask the lifecycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any, get_args

from contracts import events as e
from contracts.errors import ErrorCode, error_info
from contracts.lifecycle import JobState
from tests.support.examples import (
    JOB,
    LANE,
    PROMPT,
    job_outputs,
    job_plan,
    prepared,
    step_result,
    stored,
)

STEPS = 2
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SERVICES = ("gateway", "ingest", "composer", "executor", "collector")
_numbers = count(1)


def head() -> dict[str, Any]:
    """A stamp with an id of its own."""
    return {
        "job_id": JOB,
        "event_id": f"01939d5c-7a00-7000-a000-{next(_numbers):012x}",
        "occurred_at": AT,
    }


def tried(state: JobState) -> Iterator[e.AnyJobEvent]:
    """Every kind of event, of this attempt, the one before and the next, for every step."""
    yield e.JobSubmitted(**head(), owner="local", plan=job_plan())
    yield e.MediaPrepared(**head(), prepared=prepared())
    yield e.JobComposed(**head(), record=stored(), run_plan=stored(), steps=STEPS)
    for attempt in sorted({max(1, state.attempt - 1), state.attempt, state.attempt + 1}):
        yield from _steps(attempt)
        yield e.ExecutionFinished(**head(), attempt=attempt, report=stored())
        yield e.JobCompleted(**head(), attempt=attempt, simulated=True, outputs=job_outputs())
        for start in (None, *get_args(e.RestartAt)):
            if attempt > 1:
                yield e.RetryRequested(**head(), requested_by="o", attempt=attempt, start=start)
    error = error_info(ErrorCode.ENGINE_FAILED)
    for service in SERVICES:
        yield e.JobFailed(**head(), service=service, error=error)
    yield e.CancelRequested(**head(), requested_by="o")
    yield e.JobCancelled(**head(), service="gateway")
    yield e.JobDeleted(**head(), requested_by="o")


def _steps(attempt: int) -> Iterator[e.AnyJobEvent]:
    for step in range(STEPS):
        at: dict[str, Any] = {"step": step, "attempt": attempt}
        prompt: dict[str, Any] = {"engine_id": "comfyui-0", "comfy_prompt_id": PROMPT}
        ready = {"lane": LANE, "steps": STEPS, "stage": 0, "segment": step}
        yield e.StepReady(**head(), **at, **ready, run_plan=stored())
        yield e.StepAssigned(**head(), **at, **prompt, executor_id="x", lease_epoch=1)
        yield e.StepStarted(**head(), **at, **prompt, simulated=True)
        yield e.StepFinished(**head(), result=step_result(step, attempt))
