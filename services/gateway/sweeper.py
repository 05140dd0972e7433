"""Sweeps by itself, in one gateway at a time, some minutes after the start and then every so often.

Owns when; what is removed is `sweeping`'s affair.
"""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import Counter

from runtime.leases import Lease
from runtime.tails import BusUnavailable
from services.gateway.adapters.db.engine import is_away
from services.gateway.sweeping import Grounds, SweepRefused, sweep

log = structlog.get_logger()
FIRST_AFTER_S = 900.0
SWEPT_BYTES = Counter("animatrix_swept_bytes", "Bytes of files that nobody named, removed")
SWEEPS_REFUSED = Counter("animatrix_sweeps_refused", "Sweeps that did not dare to remove anything")


class Sweeper:
    """Sweeps under the lease `sweep`."""

    def __init__(self, grounds: Grounds, holder: str, *, every_s: float, grace_s: float) -> None:
        """`holder` names this process in the lease; with `every_s` 0 it never sweeps."""
        self._grounds = grounds
        self._holder = holder
        self._every_s = every_s
        self._grace_s = grace_s

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until `stopping`."""
        wait_s = min(FIRST_AFTER_S, self._every_s) if self._every_s > 0 else None
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await stopping.wait()
                    return
            except TimeoutError:
                await self.sweep_once()
            wait_s = self._every_s

    async def sweep_once(self) -> None:
        """Sweep now, unless another gateway is at it or nothing may be removed."""
        lease = Lease(self._grounds.bus, "sweep", self._holder)
        if not await lease.acquire(wait=False):
            return
        try:
            done = await sweep(self._grounds, self._grace_s, dry_run=False, careful=True)
            SWEPT_BYTES.inc(done.size_bytes)
        except SweepRefused as refused:
            SWEEPS_REFUSED.inc()
            log.warning("nothing swept", reason=str(refused))
        except BusUnavailable as silent:
            log.warning("the sweep waits for the bus", reason=str(silent))
        except Exception as trouble:
            if not is_away(trouble):
                raise
            log.warning("the sweep waits for storage", reason=repr(trouble))
        finally:
            await lease.release()
