"""How many jobs an owner may have that have not ended; one more is refused, with what to do.

Counts what the read model and the live picture know together. Several gateways may let pass one
job each that the others do not know of yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from contracts.errors import ErrorCode
from services.gateway.adapters.db.reading import ReadModel
from services.gateway.fanout import JOBS_REMEMBERED, Fanout
from services.gateway.problems import refused

RETRY_AFTER_S = 30


class ActiveJobs:
    """Lets an owner's submits pass one at a time, as long as the owner has room."""

    def __init__(self, read: ReadModel, fanout: Fanout, at_most: int) -> None:
        """`at_most` 0 sets no limit."""
        self._read = read
        self._fanout = fanout
        self._at_most = at_most
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def room(self, owner: str, job_id: str) -> AsyncIterator[None]:
        """Holds the door while this job of the owner is accepted inside the block.

        Raises Refused TOO_MANY_JOBS.
        """
        if self._at_most == 0:
            yield
            return
        door = self._doors.setdefault(owner, asyncio.Lock())
        async with door:
            if await self._active(owner) >= self._at_most:
                raise refused(
                    ErrorCode.TOO_MANY_JOBS,
                    sentence=f"You have {self._at_most} jobs that have not ended, and may have no "
                    "more at once.",
                    headers={"Retry-After": str(RETRY_AFTER_S)},
                )
            yield
            await self._fanout.heard_of(job_id)

    async def _active(self, owner: str) -> int:
        # Each may know of jobs that the other does not: the newest are live, the oldest are stored.
        stored = set(await self._read.active_of(owner, self._at_most + JOBS_REMEMBERED))
        going, over = self._fanout.jobs_of(owner)
        return len((stored | going) - over)
