"""Tells how far a rendering is, a few times a second, as the last step of its job.

Must not hold up the work: progress is a hint, and its loss changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from contracts.events import Progress
from runtime.bus import Bus
from runtime.stamp import now
from runtime.tasks import end
from services.collector.work import Tell

log = structlog.get_logger()

TELL_EVERY_S = 0.5


@asynccontextmanager
async def telling(bus: Bus, job_id: str, steps: int) -> AsyncIterator[Tell]:
    """Inside, the share of the work that is done (0 to 1) can be told; it becomes progress of the
    step after the job's `steps` engine steps. What was told last is sent before leaving."""
    latest = _Latest()
    task = asyncio.create_task(_keep_telling(bus, job_id, steps, latest))
    try:
        yield latest.tell
        latest.over.set()
        await task
    finally:
        await end([task])


class _Latest:
    def __init__(self) -> None:
        self.share: float | None = None
        self.over = asyncio.Event()

    def tell(self, share: float) -> None:
        self.share = share


async def _keep_telling(bus: Bus, job_id: str, steps: int, latest: _Latest) -> None:
    told: float | None = None
    while True:
        over = latest.over.is_set()
        if latest.share is not None and latest.share != told:
            told = latest.share
            try:
                await bus.progress(_progress(job_id, steps, told))
            except Exception as lost:
                log.warning("progress is not told", reason=repr(lost))
                return
        if over:
            return
        await _until(latest.over, TELL_EVERY_S)


async def _until(over: asyncio.Event, within_s: float) -> None:
    waiting = asyncio.create_task(over.wait())
    await asyncio.wait({waiting}, timeout=within_s)
    await end([waiting])


def _progress(job_id: str, steps: int, share: float) -> Progress:
    return Progress(
        job_id=job_id,
        at=now(),
        step=steps,
        steps=steps + 1,
        segment=0,
        segments=1,
        fraction=share,
        phase="collecting",
    )
