"""Share links in the database, and the secret that signs them. Part of `app`.

Must not decide what a link shows.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.gateway.access.sealing import Seal, is_sealed
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database

_SIGNING = "share_links"
_SECRET_BYTES = 32


def _text(kept: bytes) -> str:
    # Before there were seals the secret lay here as it is.
    return kept.decode() if is_sealed(kept) else kept.hex()


@dataclass(frozen=True, slots=True)
class Share:
    """A link to one job's pictures and video."""

    share_id: str
    job_id: str
    owner: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class Shares:
    """Keeps share links; the gateways of one system sign with one secret."""

    def __init__(self, database: Database, seal: Seal) -> None:
        """Nothing is read before the first question; the signing secret is kept sealed."""
        self._database = database
        self._seal = seal
        self._secret: bytes | None = None

    async def reseal(self) -> None:
        """Seal the signing secret with the newest key: one of before there were seals, or of a key
        that was replaced. The links stay good. Raises SealBroken when it cannot be opened."""
        t = tables.secrets
        mine = t.c.name == _SIGNING
        async with self._database.writer.begin() as connection:
            kept = (await connection.execute(sa.select(t.c.value).where(mine))).scalar()
            if kept is None:
                return
            renewed = self._seal.renewed(_text(kept)).encode()
            if renewed != kept:
                await connection.execute(t.update().where(mine).values(value=renewed))

    async def secret(self) -> bytes:
        """The signing secret, made by whoever asks first and then never changed.

        Raises SealBroken when it was sealed with a key that is not there.
        """
        if self._secret is None:
            t = tables.secrets
            made = self._seal.close(secrets.token_hex(_SECRET_BYTES))
            row = {"name": _SIGNING, "value": made.encode()}
            async with self._database.writer.begin() as connection:
                dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
                await connection.execute(dialect.insert(t).values(row).on_conflict_do_nothing())
                kept = await connection.execute(sa.select(t.c.value).where(t.c.name == _SIGNING))
                self._secret = bytes.fromhex(self._seal.open(_text(kept.scalar_one())))
        return self._secret

    async def keep(self, share: Share) -> None:
        """Remember a fresh share."""
        async with self._database.writer.begin() as connection:
            await connection.execute(tables.share_links.insert().values(**asdict(share)))

    async def find(self, share_id: str) -> Share | None:
        """The share with this id, also one that shows nothing any more."""
        t = tables.share_links
        async with self._database.reader.begin() as connection:
            rows = await connection.execute(sa.select(t).where(t.c.share_id == share_id))
            row = rows.mappings().one_or_none()
        return None if row is None else Share(**row)

    async def of_job(self, job_id: str, limit: int = 200) -> list[Share]:
        """The latest shares of a job, newest first."""
        t = tables.share_links
        query = sa.select(t).where(t.c.job_id == job_id).order_by(t.c.created_at.desc())
        async with self._database.reader.begin() as connection:
            return [Share(**r) for r in (await connection.execute(query.limit(limit))).mappings()]

    async def revoke(self, job_id: str, share_id: str, at: datetime) -> bool:
        """Make a link show nothing from now on; False when the job has no such share."""
        t = tables.share_links
        async with self._database.writer.begin() as connection:
            changed = await connection.execute(
                t.update()
                .where(t.c.share_id == share_id, t.c.job_id == job_id)
                .values(revoked_at=sa.func.coalesce(t.c.revoked_at, at, type_=t.c.revoked_at.type))
            )
        return changed.rowcount == 1
