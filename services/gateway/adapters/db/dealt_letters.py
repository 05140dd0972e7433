"""Which dead letters an operator dealt with, who and when. Part of `app`: owned, never derived."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database

Action = Literal["replayed", "discarded"]


@dataclass(frozen=True, slots=True)
class Dealt:
    """What was done about a dead letter."""

    advisory_id: str
    action: Action
    dealt_by: str
    dealt_at: datetime


class DealtLetters:
    """Remembers what was done; the first action on a letter stays."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def find(self, advisory_ids: Collection[str]) -> dict[str, Dealt]:
        """What was done about these letters, by advisory id; open ones are absent."""
        t = tables.dead_letters
        query = sa.select(t).where(t.c.advisory_id.in_(sorted(advisory_ids)))
        async with self._database.reader.begin() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["advisory_id"]: Dealt(**row) for row in rows}

    async def keep(self, dealt: Dealt) -> bool:
        """Remember it durably; False when somebody was first."""
        row = {
            "advisory_id": dealt.advisory_id,
            "action": dealt.action,
            "dealt_by": dealt.dealt_by,
            "dealt_at": dealt.dealt_at,
        }
        async with self._database.writer.begin() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(tables.dead_letters).on_conflict_do_nothing()
            return (await connection.execute(statement.values(row))).rowcount == 1
