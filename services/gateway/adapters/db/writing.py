"""Writes the read model: rows and checkpoint in one transaction, older never over newer.

Must not decide what a row says (services.gateway.projection does).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import AnyJobEvent, JobEvent, parse_event
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database
from services.gateway.projection import FoldedJob, Row, fold_jobs

_LOADED_AT_ONCE = 400


class CheckpointMoved(RuntimeError):
    """Another projector committed in between: this one must read the checkpoint again."""


async def _upsert(connection: AsyncConnection, table: sa.Table, rows: Sequence[Row]) -> None:
    if rows:
        await connection.execute(_upserting(connection.dialect.name, table), list(rows))


@cache
def _upserting(dialect_name: str, table: sa.Table) -> sa.Executable:
    # Kept: naming every column anew took a tenth of the projector's time.
    statement = _dialect(dialect_name).insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    found: sa.Executable = statement.on_conflict_do_update(
        index_elements=keys,
        set_=changed,
        where=table.c.sequence < statement.excluded.sequence,
    )
    return found


async def _insert_new(connection: AsyncConnection, table: sa.Table, rows: Sequence[Row]) -> None:
    if rows:
        await connection.execute(_inserting(connection.dialect.name, table), list(rows))


@cache
def _inserting(dialect_name: str, table: sa.Table) -> sa.Executable:
    found: sa.Executable = _dialect(dialect_name).insert(table).on_conflict_do_nothing()
    return found


def _dialect(name: str) -> Any:
    # The two have the same words for an upsert, but no common type.
    return postgresql if name == "postgresql" else sqlite


class ReadModelWriter:
    """The projector's way into the read model."""

    def __init__(self, database: Database) -> None:
        """Writes through the database's writer."""
        self._database = database

    async def checkpoint(self, stream: str) -> int:
        """The last sequence of the stream that is committed; 0 before the first."""
        table = tables.checkpoints
        query = sa.select(table.c.sequence).where(table.c.stream == stream)
        async with self._database.writer.begin() as connection:
            return (await connection.execute(query)).scalar() or 0

    async def jobs(self, job_ids: Iterable[str]) -> dict[str, FoldedJob]:
        """The jobs as their committed events left them; jobs without events are absent."""
        wanted, table = sorted(set(job_ids)), tables.job_events
        found: dict[str, list[tuple[int, AnyJobEvent]]] = {}
        for start in range(0, len(wanted), _LOADED_AT_ONCE):
            some = wanted[start : start + _LOADED_AT_ONCE]
            query = (
                sa.select(table.c.sequence, table.c.job_id, table.c.payload)
                .where(table.c.job_id.in_(some))
                .order_by(table.c.sequence)
            )
            async with self._database.reader.begin() as connection:
                for sequence, job_id, payload in await connection.execute(query):
                    event = parse_event(payload)
                    if isinstance(event, JobEvent):
                        found.setdefault(job_id, []).append((sequence, event))
        return {job_id: fold_jobs(job_id, events) for job_id, events in found.items()}

    async def assets(self, asset_ids: Iterable[str]) -> dict[str, Row]:
        """The committed rows of the assets, by id."""
        wanted, table = sorted(set(asset_ids)), tables.assets
        found: dict[str, Row] = {}
        for start in range(0, len(wanted), _LOADED_AT_ONCE):
            some = wanted[start : start + _LOADED_AT_ONCE]
            async with self._database.reader.begin() as connection:
                rows = await connection.execute(sa.select(table).where(table.c.asset_id.in_(some)))
                found.update({row.asset_id: dict(row._mapping) for row in rows})
        return found

    async def commit_jobs(
        self,
        *,
        jobs: Sequence[Row],
        events: Sequence[Row],
        prompts: Sequence[Row],
        outputs: Sequence[Row],
        runs: Sequence[Row],
        parked: Sequence[Row],
        before: int,
        after: int,
    ) -> None:
        """Commit a batch of the JOBS stream. Raises CheckpointMoved."""
        async with self._database.writer.begin() as connection:
            await self._advance(connection, "JOBS", before, after)
            await _insert_new(connection, tables.job_events, events)
            await _insert_new(connection, tables.parked, parked)
            await _upsert(connection, tables.jobs, jobs)
            await _upsert(connection, tables.prompts, prompts)
            await _upsert(connection, tables.outputs, outputs)
            await _insert_new(connection, tables.step_runs, runs)

    async def commit_assets(
        self, *, assets: Sequence[Row], parked: Sequence[Row], before: int, after: int
    ) -> None:
        """Commit a batch of the ASSETS stream. Raises CheckpointMoved."""
        async with self._database.writer.begin() as connection:
            await self._advance(connection, "ASSETS", before, after)
            await _insert_new(connection, tables.parked, parked)
            await _upsert(connection, tables.assets, assets)

    async def _advance(
        self, connection: AsyncConnection, stream: str, before: int, after: int
    ) -> None:
        table = tables.checkpoints
        await _insert_new(connection, table, [{"stream": stream, "sequence": 0}])
        moved = await connection.execute(
            table.update()
            .where(table.c.stream == stream, table.c.sequence == before)
            .values(sequence=after)
        )
        if moved.rowcount != 1:
            raise CheckpointMoved(f"the checkpoint of {stream} is no longer {before}")
