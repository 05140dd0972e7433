"""The idempotency keys: which submit a key stands for. Part of `app`: owned, never derived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from contracts.events import JobSubmitted
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database


@dataclass(frozen=True, slots=True)
class Submission:
    """A submit under a key: the hash of what was asked and the event that accepts it."""

    owner: str
    key: str
    body_sha256: str
    event: JobSubmitted
    created_at: datetime


class IdempotencyKeys:
    """Remembers submissions; the first one under a key stays."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def find(self, owner: str, key: str) -> Submission | None:
        """The submission that the key stands for."""
        t = tables.idempotency_keys
        query = sa.select(t).where(t.c.owner == owner, t.c.key == key)
        async with self._database.reader.begin() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Submission(
            owner=row.owner,
            key=row.key,
            body_sha256=row.body_sha256,
            event=JobSubmitted.model_validate_json(row.event),
            created_at=row.created_at,
        )

    async def keep(self, submission: Submission) -> bool:
        """Remember it durably; False when the key already stands for another submission."""
        row = {
            "owner": submission.owner,
            "key": submission.key,
            "body_sha256": submission.body_sha256,
            "job_id": submission.event.job_id,
            "event": submission.event.model_dump_json(),
            "created_at": submission.created_at,
        }
        async with self._database.writer.begin() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(tables.idempotency_keys).on_conflict_do_nothing()
            return (await connection.execute(statement.values(row))).rowcount == 1
