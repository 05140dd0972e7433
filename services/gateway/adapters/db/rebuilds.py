"""Rebuilds of the read model: who asked, what came of it, and the hash that proves it.

Part of `app`: owned, never derived. Must not project anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database

RebuildState = Literal["requested", "running", "done"]


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One rebuild. Sequences are those of JOBS and ASSETS at which both hashes were taken."""

    rebuild_id: str
    state: RebuildState
    requested_by: str
    requested_at: datetime
    jobs_sequence: int | None = None
    assets_sequence: int | None = None
    before_sha256: str | None = None
    after_sha256: str | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadModelHash:
    """A hash of every row of the read model, and the sequences that it stands at."""

    sha256: str
    jobs_sequence: int
    assets_sequence: int


async def hash_read_model(database: Database) -> ReadModelHash:
    """Hash every row, tables by name and rows by primary key, in one snapshot."""
    async with database.reader.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        at = await _sequences(connection)
        digest = hashlib.sha256()
        for name, table in sorted(tables.read_model.tables.items()):
            digest.update(name.encode())
            rows = await connection.stream(sa.select(table).order_by(*table.primary_key.columns))
            async for row in rows:
                digest.update(repr(tuple(row)).encode())
    return ReadModelHash(digest.hexdigest(), at.get("JOBS", 0), at.get("ASSETS", 0))


async def _sequences(connection: AsyncConnection) -> dict[str, int]:
    t = tables.checkpoints
    return {r.stream: r.sequence for r in await connection.execute(sa.select(t))}


class Rebuilds:
    """The rebuilds that were asked for."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def ask(self, rebuild: Rebuild) -> Rebuild:
        """Remember a request; one that is still open is returned instead."""
        t = tables.rebuilds
        async with self._database.writer.begin() as connection:
            found = (await connection.execute(_open_ones())).mappings().first()
            if found is not None:
                return Rebuild(**found)
            await connection.execute(t.insert().values(_row(rebuild)))
        return rebuild

    async def find(self, rebuild_id: str) -> Rebuild | None:
        """A rebuild by its id."""
        t = tables.rebuilds
        query = sa.select(t).where(t.c.rebuild_id == rebuild_id)
        async with self._database.reader.begin() as connection:
            found = (await connection.execute(query)).mappings().first()
        return Rebuild(**found) if found else None

    async def open_one(self) -> Rebuild | None:
        """The rebuild that is asked for or under way, if any."""
        async with self._database.reader.begin() as connection:
            found = (await connection.execute(_open_ones())).mappings().first()
        return Rebuild(**found) if found else None

    async def begin(self, rebuild: Rebuild) -> None:
        """Empty the read model and write down that the rebuild began, in one transaction."""
        async with self._database.writer.begin() as connection:
            for table in tables.read_model.sorted_tables:
                if table is not tables.schema:
                    await connection.execute(table.delete())
            await connection.execute(_update(rebuild))

    async def finish(self, rebuild: Rebuild) -> None:
        """Write down what came of it."""
        async with self._database.writer.begin() as connection:
            await connection.execute(_update(rebuild))


def _open_ones() -> sa.Select[Any]:
    t = tables.rebuilds
    return sa.select(t).where(t.c.state != "done").order_by(t.c.requested_at).limit(1)


def _update(rebuild: Rebuild) -> sa.Update:
    t = tables.rebuilds
    return t.update().where(t.c.rebuild_id == rebuild.rebuild_id).values(_row(rebuild))


def _row(rebuild: Rebuild) -> dict[str, Any]:
    return {c.name: getattr(rebuild, c.name) for c in tables.rebuilds.columns}
