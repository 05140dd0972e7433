"""The stamp of a new event: id, time, cause. The one place that reads the clock for events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

from contracts.events import Event
from runtime.ids import new_id


class Stamp(TypedDict):
    """The fields that every event carries beside its own."""

    event_id: str
    occurred_at: datetime
    causation_id: str | None


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def stamp(cause: Event | None) -> Stamp:
    """A stamp for an event caused by another, or by a request from outside when None."""
    return Stamp(
        event_id=new_id(),
        occurred_at=now(),
        causation_id=cause.event_id if cause else None,
    )
