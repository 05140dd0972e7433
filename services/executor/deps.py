"""What the executor's handlers work with, and who is at work on which step in this process.

Owns plain holders only; it decides nothing and talks to nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from contracts.events import StepReady
from contracts.lifecycle import JobState
from contracts.plan import RunPlan
from runtime.bus import Bus
from runtime.engine_board import EngineBoard
from runtime.leases import Lease
from runtime.media_store import MediaStore
from runtime.outcome import Outcome
from services.executor.adapters.engine_link import EngineLink
from services.executor.ledger import Ledger
from services.executor.settings import Settings

CHANGED_RETRY_S = 0.2
"""Before a step is looked at anew whose job, or whose lease, changed under us."""
ELSEWHERE_RETRY_S = 1.0
"""Before a step is offered again that another engine should take."""


@dataclass(eq=False, slots=True)
class Ticket:
    """A step in hand in this process; `stop` is set when its job is to be cancelled."""

    job_id: str
    step: int
    attempt: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Tickets:
    """The steps in hand: a message delivered twice must not be worked on twice at once."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int, int], Ticket] = {}

    @contextmanager
    def enter(self, event: StepReady) -> Iterator[Ticket | None]:
        """A ticket for the step while the block runs; None when it is in hand already."""
        place = (event.job_id, event.step, event.attempt)
        if place in self._open:
            yield None
            return
        ticket = self._open[place] = Ticket(*place)
        try:
            yield ticket
        finally:
            del self._open[place]

    def of_job(self, job_id: str) -> tuple[Ticket, ...]:
        """The tickets of one job."""
        return tuple(t for t in self._open.values() if t.job_id == job_id)


class Seat:
    """One of an engine's places (running or staged); left once, when its prompt is over there."""

    def __init__(self, on_leave: Callable[[], None]) -> None:
        self._on_leave: Callable[[], None] | None = on_leave

    def leave(self) -> None:
        """Frees the place; leaving again does nothing."""
        on_leave, self._on_leave = self._on_leave, None
        if on_leave is not None:
            on_leave()


LinkT_co = TypeVar("LinkT_co", bound=EngineLink, covariant=True)


@dataclass(frozen=True)
class Deps(Generic[LinkT_co]):
    """What every handler of one engine works with."""

    bus: Bus
    media: MediaStore
    board: EngineBoard
    ledger: Ledger
    settings: Settings
    link: LinkT_co
    lease: Lease
    tickets: Tickets


AnyDeps: TypeAlias = Deps[EngineLink]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a step when it is taken up: its job's state and its run plan."""

    state: JobState
    plan: RunPlan


class Runner(Protocol):
    """Carries a step that is to be begun or taken over as far as it goes: one per engine kind.

    `rejoin`: the attempt was assigned to this engine before, so that its prompt may be there.
    Raises UnfitPlan, EngineError.
    """

    async def __call__(
        self, event: StepReady, seat: Seat, ticket: Ticket, known: Known, *, rejoin: bool
    ) -> Outcome:
        """Ack when everything that follows is written, else when to come again."""
        ...
