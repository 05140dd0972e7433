"""Drops the read model and rebuilds it from the streams, bit for bit, while gateways run.

A request is a row in `app`; the projector that holds the lease carries it out, alone, and proves
it with a hash of every row before and after. Must not project: the projector does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from runtime.stamp import now
from services.gateway.adapters.db.engine import Database
from services.gateway.adapters.db.rebuilds import Rebuild, Rebuilds, hash_read_model

log = structlog.get_logger()
LOOK_EVERY_S = 5.0

Refill = Callable[[dict[str, int]], Awaitable[bool]]
"""Projects up to these sequences by stream; False when it was interrupted."""


class Rebuilder:
    """Carries out what was asked for. Used by the holder of the projector's lease alone."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database
        self._rebuilds = Rebuilds(database)

    async def asked(self) -> None:
        """Return as soon as a rebuild is asked for."""
        while await self._rebuilds.open_one() is None:  # noqa: ASYNC110 - other processes ask
            await asyncio.sleep(LOOK_EVERY_S)

    async def carry_out(self, refill: Refill) -> bool:
        """Carry out the open rebuild, if any; False when `refill` was interrupted.

        Interrupted halfway it stays `running`, and the next holder of the lease goes on with it.
        """
        rebuild = await self._rebuilds.open_one()
        if rebuild is None:
            return True
        if rebuild.state == "requested":
            rebuild = await self._begun(rebuild)
        wanted = {"JOBS": rebuild.jobs_sequence or 0, "ASSETS": rebuild.assets_sequence or 0}
        if not await refill(wanted):
            return False
        after = await hash_read_model(self._database)
        done = replace(rebuild, state="done", after_sha256=after.sha256, ended_at=now())
        await self._rebuilds.finish(done)
        same = done.after_sha256 == done.before_sha256
        (log.info if same else log.error)(
            "read model rebuilt",
            identical=same,
            jobs_sequence=wanted["JOBS"],
            took_s=(done.ended_at - done.began_at).total_seconds()
            if done.ended_at and done.began_at
            else None,
        )
        return True

    async def _begun(self, rebuild: Rebuild) -> Rebuild:
        before = await hash_read_model(self._database)
        begun = replace(
            rebuild,
            state="running",
            jobs_sequence=before.jobs_sequence,
            assets_sequence=before.assets_sequence,
            before_sha256=before.sha256,
            began_at=now(),
        )
        await self._rebuilds.begin(begun)
        log.info("read model dropped", jobs_sequence=before.jobs_sequence)
        return begun
