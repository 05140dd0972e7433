"""Jobs at the point where the composer meets them: submitted with a real plan, media prepared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contracts.events import JobSubmitted, MediaPrepared, RetryRequested
from planning.requests import JobRequest
from runtime.ids import new_id
from tests.planning.examples import animate, engine, planned, prepare, webui

SUBMITTED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def submitted(request: JobRequest | None = None, job_id: str | None = None) -> JobSubmitted:
    """A job just submitted."""
    return JobSubmitted(
        event_id=new_id(),
        occurred_at=SUBMITTED_AT,
        job_id=job_id or new_id(),
        owner="local",
        plan=planned(request or animate(), engines=(engine(), webui())),
    )


def media_prepared(job: JobSubmitted) -> MediaPrepared:
    """All that its plan orders, prepared."""
    return MediaPrepared(
        event_id=new_id(),
        occurred_at=SUBMITTED_AT + timedelta(seconds=1),
        causation_id=job.event_id,
        job_id=job.job_id,
        prepared=tuple(prepare(order) for order in job.plan.media),
    )


def retry(job: JobSubmitted, attempt: int) -> RetryRequested:
    """An operator asks for another attempt."""
    return RetryRequested(
        event_id=new_id(),
        occurred_at=SUBMITTED_AT + timedelta(minutes=1),
        job_id=job.job_id,
        requested_by="operator",
        attempt=attempt,
    )
