"""The audit trail in the database: who did what; added to and read, never changed.

Part of `app`. Must not decide what is worth a line.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database
from services.gateway.projection import Row


class TrailUnavailable(RuntimeError):
    """The trail could not be written."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One request that may have changed something; `outcome` is its HTTP status."""

    at: datetime
    owner: str
    how: str
    key_id: str | None
    action: str
    target: str
    outcome: int


class AuditTrail:
    """Appends and lists deeds."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def add(self, deed: Deed) -> None:
        """Record it durably. Raises TrailUnavailable."""
        try:
            async with self._database.writer.begin() as connection:
                await connection.execute(tables.audit.insert().values(**asdict(deed)))
        except (SQLAlchemyError, OSError) as broken:
            raise TrailUnavailable(repr(broken)) from broken

    async def page(
        self, *, limit: int, before: int | None = None, owner: str | None = None
    ) -> list[Row]:
        """Deeds, newest first, below the entry `before`; of one owner, or of all (None)."""
        t = tables.audit
        query = sa.select(t).order_by(t.c.entry.desc()).limit(limit)
        if before is not None:
            query = query.where(t.c.entry < before)
        if owner is not None:
            query = query.where(t.c.owner == owner)
        async with self._database.reader.begin() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]
