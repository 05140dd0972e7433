"""Watches one submitted prompt until it is over, and tells the world how far it is.

Owns step_started, progress and the step's deadline. What an ending means is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import structlog

from engines.comfyui import (
    Doubled,
    EngineError,
    Failed,
    Heard,
    Interrupted,
    Listener,
    Lost,
    Outcome,
    Overdue,
    PreviewImage,
    Queued,
    Reachable,
    Stalled,
    Started,
    Succeeded,
    Unreachable,
    follow,
)
from runtime import tasks
from runtime.live_previews import LivePreviews
from services.executor.adapters.comfy_link import ComfyLink
from services.executor.comfyui.gauge import Gauge
from services.executor.comfyui.showing import Showing
from services.executor.comfyui.work import Work
from services.executor.deps import Deps
from services.executor.pace import Phase, Throttle

log = structlog.get_logger()


class Watch:
    """One prompt being watched. `started_s` is when its start was seen, by the event loop."""

    def __init__(self, work: Work, deps: Deps[ComfyLink], *, ran_already_s: float | None) -> None:
        """`ran_already_s` is how long it ran before this process took over; None if not begun."""
        self._work = work
        self._deps = deps
        self._gauge = Gauge(work.graph)
        self._throttle = Throttle(deps.settings.progress_interval_s)
        self._showing = Showing(
            work.event.job_id,
            LivePreviews(deps.bus),
            deps.settings.live_preview_interval_s,
            self._report_picture,
        )
        self._ran_already_s = ran_already_s
        self.started_s: float | None = None

    async def outcome(self, hint: Listener) -> Outcome:
        """How the prompt ended; Overdue when it ran beyond the step's deadline.

        Only running counts against the deadline: waiting behind another prompt does not.
        """
        deadline_s = self._work.step.deadline_s
        begun = time.monotonic()
        try:
            async with asyncio.timeout(None) as limit:
                if self._ran_already_s is not None:
                    await self._begin(limit, self._ran_already_s)
                return await self._unless_stuck(self._follow(hint, limit))
        except TimeoutError:
            if not limit.expired():
                raise
            log.warning("step is overdue", deadline_s=deadline_s)
            return Overdue(time.monotonic() - (self.started_s or begun))
        finally:
            await self._showing.end()

    async def _unless_stuck(self, following: Coroutine[Any, Any, Outcome]) -> Outcome:
        """What following yields; Stalled at once when the engine hangs in another prompt."""
        begun, link = time.monotonic(), self._deps.link
        ending, stuck = asyncio.ensure_future(following), asyncio.ensure_future(link.stuck.wait())
        try:
            await asyncio.wait({ending, stuck}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done() and self.started_s is None:
                return Stalled(time.monotonic() - begun, running=False)
            return await ending
        finally:
            await tasks.end((ending, stuck))

    async def _follow(self, hint: Listener, limit: asyncio.Timeout) -> Outcome:
        updates = follow(
            self._deps.link.client,
            self._work.prompt_id,
            hint=hint,
            stall_s=self._deps.settings.comfyui_stall_s,
        )
        async with aclosing(updates):
            async for update in updates:
                match update:
                    case Succeeded() | Failed() | Interrupted():
                        await self._begin(limit, 0.0)
                        return update
                    case Lost() | Overdue() | Stalled():
                        return update
                    case Started():
                        await self._begin(limit, 0.0)
                        await self._report(force=True)
                    case Queued():
                        await self._report("waiting", force=True)
                    case Unreachable(error=error, for_s=for_s):
                        log.warning(
                            "engine away while a step runs", reason=error.cause, for_s=for_s
                        )
                        await self._report("unreachable", force=True)
                    case Reachable():
                        await self._report(force=True)
                    case Doubled(copies=copies):
                        await self._reduce(copies)
                    case Heard(message=PreviewImage() as picture):
                        self._showing.offer(picture)
                    case Heard(message=message):
                        if self._gauge.hear(message):
                            await self._report()
        raise AssertionError("follow always ends with an outcome")

    async def _reduce(self, copies: int) -> None:
        """Takes back one waiting copy of a prompt that stands in the queue more than once.

        An executor that stalled between its last lease check and its POST can bring that about;
        what is left runs once.
        """
        log.warning("the engine holds a prompt more than once", copies=copies)
        try:
            await self._deps.link.client.delete_pending(self._work.prompt_id)
        except EngineError as trouble:
            log.warning("a copy of a prompt stays for now", reason=trouble.cause)

    async def _begin(self, limit: asyncio.Timeout, ran_s: float) -> None:
        if self.started_s is not None:
            return
        self.started_s = time.monotonic() - ran_s
        self._gauge.started()
        link, work = self._deps.link, self._work
        link.warm_lane = work.event.lane
        link.clock.begins(work.prompt_id)
        if not limit.expired():
            left_s = max(0.1, work.step.deadline_s - ran_s)
            limit.reschedule(asyncio.get_running_loop().time() + left_s)
        await self._deps.ledger.started(
            work.event,
            engine_id=link.engine_id,
            prompt_id=work.prompt_id,
            simulated=link.used().simulated,
        )

    async def _report(self, phase: Phase | None = None, *, force: bool = False) -> None:
        if not self._throttle.passes(time.monotonic()) and not force:
            return
        gauge = self._gauge
        told = self._work.progress(phase or gauge.phase, gauge.fraction, self._showing.shown)
        await self._deps.bus.progress(told)

    async def _report_picture(self) -> None:
        await self._report(force=True)
