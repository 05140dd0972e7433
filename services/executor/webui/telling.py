"""Tells the world how far a run is, from what its client hears meanwhile.

Owns step_started and progress of one run. The client's callbacks may not wait for the bus, so what
they say is kept here and told by a task. Nothing is decided by it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from runtime import tasks
from runtime.tails import BusUnavailable
from services.executor.adapters.webui_link import WebuiLink
from services.executor.deps import Deps
from services.executor.pace import Phase, Throttle
from services.executor.webui.work import Work

log = structlog.get_logger()


class Teller:
    """What is told of one run. `started_s` is when its start was seen, by the monotonic clock."""

    def __init__(self, work: Work, deps: Deps[WebuiLink]) -> None:
        self._work = work
        self._deps = deps
        self._throttle = Throttle(deps.settings.progress_interval_s)
        self._news = asyncio.Event()
        self._phase: Phase = "waiting"
        self._fraction = 0.0
        self._begun = False
        self.started_s: float | None = None

    def hear(self, phase: Phase, fraction: float) -> None:
        """Takes note of how far the run is; the fraction never falls. Does not wait."""
        if phase != "waiting" and self.started_s is None:
            self.started_s = time.monotonic() - (self._work.ran_already_s or 0.0)
            self._deps.link.warm_lane = self._work.event.lane
            self._deps.link.clock.begins(self._work.prompt_id)
        self._phase, self._fraction = phase, max(self._fraction, fraction)
        self._news.set()

    async def begin(self) -> None:
        """Makes sure that the start is on record. Raises BusUnavailable."""
        if self.started_s is None:
            self.hear("generating", 0.0)
        if self._begun:
            return
        link, work = self._deps.link, self._work
        await self._deps.ledger.started(
            work.event,
            engine_id=link.engine_id,
            prompt_id=work.prompt_id,
            simulated=link.used().simulated,
        )
        self._begun = True

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tells what is heard while the block runs."""
        teller = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            await tasks.end((teller,))
            self._deps.link.clock.ends(self._work.prompt_id)

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if self.started_s is not None:
                    await self.begin()
                if self._throttle.passes(time.monotonic()):
                    await self._deps.bus.progress(self._work.progress(self._phase, self._fraction))
            except BusUnavailable as trouble:
                log.warning("progress is not told", reason=str(trouble))
