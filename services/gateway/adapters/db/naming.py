"""What the read model names: the hashes of assets, the jobs, and what live jobs work with.

For the sweep alone, which must know that the answer is complete. Must not remove anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import sqlalchemy as sa

from contracts.lifecycle import TERMINAL
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database

_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
_ASKED_AT_ONCE = 400


class Named:
    """Asks the read model what is named."""

    def __init__(self, database: Database) -> None:
        """Reads through the database's reader."""
        self._database = database

    async def checkpoints(self) -> dict[str, int]:
        """The last committed sequence of each stream."""
        t = tables.checkpoints
        async with self._database.reader.begin() as connection:
            return {r.stream: r.sequence for r in await connection.execute(sa.select(t))}

    async def hashes(self, candidates: Collection[str]) -> set[str]:
        """Those of the candidate hashes that an asset has, or that a job's plan names."""
        named = await self._asset_hashes(candidates)
        left = set(candidates) - named
        return named | (left & await self._planned_hashes()) if left else named

    async def _asset_hashes(self, candidates: Collection[str]) -> set[str]:
        t, wanted = tables.assets, sorted(candidates)
        found: set[str] = set()
        async with self._database.reader.begin() as connection:
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                some = wanted[start : start + _ASKED_AT_ONCE]
                query = sa.select(t.c.sha256).where(t.c.sha256.in_(some))
                found.update((await connection.execute(query)).scalars())
        return found

    async def _planned_hashes(self) -> set[str]:
        t, jobs = tables.job_events, tables.jobs
        query = (
            sa.select(t.c.payload)
            .join(jobs, jobs.c.job_id == t.c.job_id)
            .where(t.c.event == "job_submitted", jobs.c.deleted.is_(False))
        )
        return await self._hashes_in(query)

    async def jobs(self, candidates: Collection[str]) -> set[str]:
        """Those of the candidate ids that are jobs and not deleted."""
        t, wanted = tables.jobs, sorted(candidates)
        found: set[str] = set()
        async with self._database.reader.begin() as connection:
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                some = wanted[start : start + _ASKED_AT_ONCE]
                query = sa.select(t.c.job_id).where(t.c.job_id.in_(some), t.c.deleted.is_(False))
                found.update((await connection.execute(query)).scalars())
        return found

    async def live_jobs(self) -> set[str]:
        """Every job that has not ended."""
        t = tables.jobs
        query = sa.select(t.c.job_id).where(t.c.status.not_in(sorted(TERMINAL)))
        async with self._database.reader.begin() as connection:
            return set((await connection.execute(query)).scalars())

    async def live_hashes(self) -> set[str]:
        """Every hash in any event of a job that has not ended: more than it can need."""
        t, jobs = tables.job_events, tables.jobs
        query = (
            sa.select(t.c.payload)
            .join(jobs, jobs.c.job_id == t.c.job_id)
            .where(jobs.c.status.not_in(sorted(TERMINAL)))
        )
        return await self._hashes_in(query)

    async def _hashes_in(self, query: sa.Select[tuple[str]]) -> set[str]:
        found: set[str] = set()
        async with self._database.reader.begin() as connection:
            async for row in await connection.stream(query):
                found.update(_SHA256.findall(row.payload))
        return found
