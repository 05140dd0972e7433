"""Activations of workflow versions: who chose what, when. Part of `app`: owned, never derived.

Rows are only added. Must not decide what may be activated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database

Action = Literal["activate", "rollback"]


@dataclass(frozen=True, slots=True)
class Activation:
    """One decision about a mode and submode ("" for none); `revision` counts them from 1."""

    mode: str
    submode: str
    revision: int
    action: Action
    workflow_name: str
    workflow_version: str
    sha256: str
    previous_name: str
    previous_version: str
    made_by: str
    made_at: datetime
    forced: bool
    missing: tuple[str, ...]
    note: str | None


class Activations:
    """The decisions, kept for ever."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def standing(self) -> tuple[Activation, ...]:
        """The last decision of every mode and submode that has one."""
        t = tables.workflow_activations
        last = (
            sa.select(t.c.mode, t.c.submode, sa.func.max(t.c.revision).label("revision"))
            .group_by(t.c.mode, t.c.submode)
            .subquery()
        )
        same = sa.and_(*(t.c[name] == last.c[name] for name in ("mode", "submode", "revision")))
        return await self._rows(sa.select(t).join(last, same).order_by(t.c.mode, t.c.submode))

    async def of(self, mode: str, submode: str) -> tuple[Activation, ...]:
        """Every decision about a mode and submode, the first one first."""
        t = tables.workflow_activations
        query = sa.select(t).where(t.c.mode == mode, t.c.submode == submode)
        return await self._rows(query.order_by(t.c.revision))

    async def latest(self, limit: int) -> tuple[Activation, ...]:
        """The latest decisions about anything, the newest first."""
        t = tables.workflow_activations
        query = sa.select(t).order_by(t.c.made_at.desc(), t.c.revision.desc()).limit(limit)
        return await self._rows(query)

    async def add(self, activation: Activation) -> bool:
        """Keep a decision durably; False when another one has taken its revision meanwhile."""
        row = {**asdict(activation), "missing": list(activation.missing)}
        try:
            async with self._database.writer.begin() as connection:
                await connection.execute(tables.workflow_activations.insert().values(row))
        except IntegrityError:
            return False
        return True

    async def _rows(self, query: sa.Select[Any]) -> tuple[Activation, ...]:
        async with self._database.reader.begin() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(Activation(**{**row, "missing": tuple(row["missing"])}) for row in rows)
