"""Keeps webhooks, what is to be delivered to them, and what became of every attempt.

Part of `app`. Deliveries and the place in the stream they were made from are written together, so
that a crash neither loses nor doubles one. Must not decide when to try again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.gateway.access.sealing import Seal
from services.gateway.adapters.db import webhook_tables as t
from services.gateway.adapters.db.engine import Database
from services.gateway.adapters.db.writing import CheckpointMoved
from services.gateway.webhooks.verdicts import Attempt, Verdict

Row = dict[str, Any]
_STREAM = "JOBS"
_COLUMNS = tuple(column.name for column in t.webhooks.columns)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription of an owner. The secret is in no representation."""

    webhook_id: str
    owner: str
    url: str
    events: tuple[str, ...]
    description: str
    secret: str = field(repr=False)
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime
    created_sequence: int


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come, with its webhook."""

    delivery_id: str
    payload: str
    attempts: int
    attempts_left: int
    webhook: Webhook


_ANY_PENDING = (
    sa.select(t.deliveries.c.delivery_id).where(t.deliveries.c.status == "pending").limit(1)
)


class WebhookStore:
    """Reads and writes the tables of webhooks."""

    def __init__(self, database: Database, seal: Seal) -> None:
        """Uses both engines of the database; secrets lie there sealed."""
        self._database = database
        self._seal = seal
        self.stirred = asyncio.Event()
        """Set when this process added something to send, or let it be sent again."""

    async def reseal(self) -> None:
        """Seal every secret with the newest key: those of before there were seals, and of a key
        that was replaced. Raises SealBroken for one that cannot be opened."""
        w = t.webhooks.c
        async with self._database.writer.begin() as connection:
            kept = (await connection.execute(sa.select(w.webhook_id, w.secret))).all()
            for webhook_id, secret in kept:
                renewed = self._seal.renewed(secret)
                if renewed != secret:
                    await connection.execute(
                        t.webhooks.update()
                        .where(w.webhook_id == webhook_id, w.secret == secret)
                        .values(secret=renewed)
                    )

    async def add(self, webhook: Webhook, at_most: int) -> bool:
        """Keep a new webhook; False when its owner has as many as he may."""
        row = {name: getattr(webhook, name) for name in _COLUMNS}
        row["events"] = list(webhook.events)
        row["secret"] = self._seal.close(webhook.secret)
        mine = sa.select(sa.func.count()).where(t.webhooks.c.owner == webhook.owner)
        async with self._database.writer.begin() as connection:
            if ((await connection.execute(mine)).scalar() or 0) >= at_most:
                return False
            await connection.execute(t.webhooks.insert().values(row))
        return True

    async def all(self, owner: str | None = None) -> list[Webhook]:
        """Webhooks, oldest first: of an owner or of everyone."""
        query = sa.select(t.webhooks).order_by(t.webhooks.c.created_at, t.webhooks.c.webhook_id)
        if owner is not None:
            query = query.where(t.webhooks.c.owner == owner)
        return [self._webhook(row) for row in await self._rows(query)]

    async def one(self, webhook_id: str) -> Webhook | None:
        """A webhook by its id."""
        rows = await self._rows(sa.select(t.webhooks).where(t.webhooks.c.webhook_id == webhook_id))
        return self._webhook(rows[0]) if rows else None

    async def remove(self, webhook_id: str) -> None:
        """Forget a webhook with its deliveries and their log."""
        mine = sa.select(t.deliveries.c.delivery_id).where(t.deliveries.c.webhook_id == webhook_id)
        async with self._database.writer.begin() as connection:
            await connection.execute(t.attempts.delete().where(t.attempts.c.delivery_id.in_(mine)))
            await connection.execute(
                t.deliveries.delete().where(t.deliveries.c.webhook_id == webhook_id)
            )
            await connection.execute(
                t.webhooks.delete().where(t.webhooks.c.webhook_id == webhook_id)
            )

    async def enable(self, webhook_id: str) -> None:
        """Try a disabled webhook again; what still waits for it goes out."""
        async with self._database.writer.begin() as connection:
            await connection.execute(
                t.webhooks.update()
                .where(t.webhooks.c.webhook_id == webhook_id)
                .values(enabled=True, disabled_reason=None, failing_since=None)
            )
        self.stirred.set()

    async def progress(self) -> int | None:
        """The last sequence of JOBS whose deliveries are written down; None before the first."""
        rows = await self._rows(sa.select(t.progress).where(t.progress.c.stream == _STREAM))
        return rows[0]["sequence"] if rows else None

    async def begin_at(self, sequence: int) -> None:
        """Set the place in JOBS without writing a delivery."""
        async with self._database.writer.begin() as connection:
            await connection.execute(t.progress.delete().where(t.progress.c.stream == _STREAM))
            await connection.execute(t.progress.insert().values(stream=_STREAM, sequence=sequence))

    async def announce(self, deliveries: Sequence[Row], before: int, after: int) -> None:
        """Write deliveries down and move on in JOBS, in one. Raises CheckpointMoved."""
        async with self._database.writer.begin() as connection:
            moved = await connection.execute(
                t.progress.update()
                .where(t.progress.c.stream == _STREAM, t.progress.c.sequence == before)
                .values(sequence=after)
            )
            if moved.rowcount != 1:
                raise CheckpointMoved(f"webhooks are no longer at {before}")
            if deliveries:
                dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
                insert = dialect.insert(t.deliveries).on_conflict_do_nothing()
                await connection.execute(insert, list(deliveries))
        if deliveries:
            self.stirred.set()

    async def any_pending(self) -> bool:
        """Whether anything waits to be sent, now or later: a cheap look before `due`."""
        return bool(await self._rows(_ANY_PENDING))

    async def due(self, now: datetime, per_webhook: int, limit: int = 200) -> list[Due]:
        """What is to be sent now, at most so many for each enabled webhook, the longest due first.

        Only the first few of each webhook are looked at, so that none keeps another waiting.
        """
        d, w = t.deliveries, t.webhooks
        place = sa.func.row_number().over(
            partition_by=d.c.webhook_id, order_by=(d.c.next_attempt_at, d.c.sequence)
        )
        ranked = (
            sa.select(d.c.delivery_id, place.label("place"))
            .join(w, w.c.webhook_id == d.c.webhook_id)
            .where(d.c.status == "pending", d.c.next_attempt_at <= now, w.c.enabled)
            .subquery()
        )
        query = (
            sa.select(d.c.delivery_id, d.c.payload, d.c.attempts, d.c.attempts_left, w)
            .join(ranked, ranked.c.delivery_id == d.c.delivery_id)
            .join(w, w.c.webhook_id == d.c.webhook_id)
            .where(ranked.c.place <= per_webhook)
            .order_by(d.c.next_attempt_at, d.c.sequence)
            .limit(limit)
        )
        return [
            Due(r["delivery_id"], r["payload"], r["attempts"], r["attempts_left"], self._webhook(r))
            for r in await self._rows(query)
        ]

    async def record(self, due: Due, attempt: Attempt, verdict: Verdict) -> None:
        """Write an attempt down with what follows from it."""
        number = due.attempts + 1
        d, w = t.deliveries, t.webhooks
        change: Row = {"failing_since": verdict.failing_since}
        if verdict.disable is not None:
            change |= {"enabled": False, "disabled_reason": verdict.disable}
        row = {name: getattr(attempt, name) for name in ("at", "latency_ms", "status_code")}
        row |= {"response": attempt.response, "error": attempt.error}
        async with self._database.writer.begin() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            await connection.execute(
                dialect.insert(t.attempts)
                .values(delivery_id=due.delivery_id, attempt=number, **row)
                .on_conflict_do_nothing()
            )
            await connection.execute(
                d.update()
                .where(d.c.delivery_id == due.delivery_id)
                .values(
                    status=verdict.status,
                    attempts=number,
                    attempts_left=max(0, due.attempts_left - 1),
                    next_attempt_at=verdict.next_attempt_at,
                )
            )
            await connection.execute(
                w.update().where(w.c.webhook_id == due.webhook.webhook_id).values(change)
            )

    async def log(
        self, webhook_id: str | None, *, limit: int, status: str | None = None
    ) -> list[tuple[Row, list[Row]]]:
        """Deliveries with their attempts, the newest first."""
        query = sa.select(t.deliveries)
        if webhook_id is not None:
            query = query.where(t.deliveries.c.webhook_id == webhook_id)
        if status is not None:
            query = query.where(t.deliveries.c.status == status)
        query = query.order_by(t.deliveries.c.sequence.desc(), t.deliveries.c.delivery_id)
        found = await self._rows(query.limit(limit))
        ids = [row["delivery_id"] for row in found]
        tried = await self._rows(
            sa.select(t.attempts)
            .where(t.attempts.c.delivery_id.in_(ids))
            .order_by(t.attempts.c.attempt)
        )
        of = {i: [a for a in tried if a["delivery_id"] == i] for i in ids}
        return [(row, of[row["delivery_id"]]) for row in found]

    async def redeliver(self, delivery_id: str, now: datetime, attempts: int) -> bool:
        """Have a delivery sent again, with new attempts; False when there is none such."""
        async with self._database.writer.begin() as connection:
            changed = await connection.execute(
                t.deliveries.update()
                .where(t.deliveries.c.delivery_id == delivery_id)
                .values(status="pending", attempts_left=attempts, next_attempt_at=now)
            )
        self.stirred.set()
        return changed.rowcount == 1

    async def forget_before(self, when: datetime) -> None:
        """Remove settled deliveries older than this, and their attempts."""
        d = t.deliveries
        old = sa.and_(d.c.status != "pending", d.c.created_at < when)
        async with self._database.writer.begin() as connection:
            ids = sa.select(d.c.delivery_id).where(old)
            await connection.execute(t.attempts.delete().where(t.attempts.c.delivery_id.in_(ids)))
            await connection.execute(d.delete().where(old))

    def _webhook(self, row: Row) -> Webhook:
        values = {name: row[name] for name in _COLUMNS}
        opened = {"events": tuple(row["events"]), "secret": self._seal.open(row["secret"])}
        return Webhook(**{**values, **opened})

    async def _rows(self, query: sa.Select[Any]) -> list[Row]:
        async with self._database.reader.begin() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]
