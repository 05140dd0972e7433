"""API keys and sessions in the database. Part of `app`. Holds hashes only.

Must not decide what a key may do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.gateway.access.caller import Role
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database

USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept, without the key."""

    key_id: str
    owner: str
    role: Role
    name: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def valid(self, at: datetime) -> bool:
        """True while it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


_KEY_COLUMNS = [c for c in tables.api_keys.columns if c.name != "digest"]
# Made once: every request with a key asks one of these.
_BY_DIGEST = sa.select(*_KEY_COLUMNS).where(tables.api_keys.c.digest == sa.bindparam("given"))
_BY_ID = sa.select(*_KEY_COLUMNS).where(tables.api_keys.c.key_id == sa.bindparam("given"))


class ApiKeys:
    """Keeps API keys."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def keep(self, key: ApiKey, digest: str) -> None:
        """Remember a fresh key."""
        row = {c.name: getattr(key, c.name) for c in _KEY_COLUMNS}
        async with self._database.writer.begin() as connection:
            await connection.execute(tables.api_keys.insert().values(**row, digest=digest))

    async def by_digest(self, digest: str) -> ApiKey | None:
        """The key with this hash, valid or not."""
        return await self._one(_BY_DIGEST, digest)

    async def by_id(self, key_id: str) -> ApiKey | None:
        """The key with this id, valid or not."""
        return await self._one(_BY_ID, key_id)

    async def _one(self, query: sa.Select[Any], given: str) -> ApiKey | None:
        async with self._database.asker.connect() as connection:
            rows = await connection.execute(query, {"given": given})
            row = rows.mappings().one_or_none()
        return None if row is None else ApiKey(**row)

    async def all(self) -> Sequence[ApiKey]:
        """Every key, newest first, those that open nothing any more too."""
        query = sa.select(*_KEY_COLUMNS).order_by(tables.api_keys.c.created_at.desc())
        async with self._database.reader.begin() as connection:
            return [ApiKey(**row) for row in (await connection.execute(query)).mappings()]

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Make a key open nothing from now on, with its sessions; False for an unknown one."""
        t, s = tables.api_keys, tables.sessions
        async with self._database.writer.begin() as connection:
            known = await connection.execute(
                t.update()
                .where(t.c.key_id == key_id)
                .values(revoked_at=sa.func.coalesce(t.c.revoked_at, at, type_=t.c.revoked_at.type))
            )
            await connection.execute(s.delete().where(s.c.subject == key_id))
        return known.rowcount == 1

    async def note_use(self, key: ApiKey, at: datetime) -> None:
        """Remember when the key was used, to the minute: reading must not cost a write each."""
        if key.last_used_at is not None and at - key.last_used_at < USE_NOTED_EVERY:
            return
        t = tables.api_keys
        async with self._database.writer.begin() as connection:
            await connection.execute(
                t.update().where(t.c.key_id == key.key_id).values(last_used_at=at)
            )


class Sessions:
    """Keeps who is signed in, by the hash of the cookie."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def begin(self, digest: str, subject: str, at: datetime, expires_at: datetime) -> None:
        """Remember a session of a credential; sessions that ran out go at the same time."""
        t = tables.sessions
        async with self._database.writer.begin() as connection:
            await connection.execute(t.delete().where(t.c.expires_at <= at))
            await connection.execute(
                t.insert().values(digest=digest, subject=subject, expires_at=expires_at)
            )

    async def subject(self, digest: str, at: datetime) -> str | None:
        """Which credential a session stands for, None when there is no such session (any more)."""
        t = tables.sessions
        query = sa.select(t.c.subject).where(t.c.digest == digest, t.c.expires_at > at)
        async with self._database.asker.connect() as connection:
            found: str | None = (await connection.execute(query)).scalar()
        return found

    async def end(self, digest: str) -> None:
        """Forget a session."""
        t = tables.sessions
        async with self._database.writer.begin() as connection:
            await connection.execute(t.delete().where(t.c.digest == digest))
