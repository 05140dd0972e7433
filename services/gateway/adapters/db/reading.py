"""Reads the read model for the API: single rows and keyset pages, never a count of everything.

Must not interpret a row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database
from services.gateway.projection import Row

_OF_THE_QUEUE = (
    *("job_id", "owner", "lane", "ready_sequence", "step", "steps", "running_since"),
    *("workflow_template", "settings", "delivery"),
)

_BESIDE_THE_VIDEO = (
    *("poster", "first_frame", "preview", "pose_preview"),
    *("frames", "manifest", "debug_metadata"),
)

_OF_A_PAGE = [
    column
    for column in tables.jobs.columns
    if column.name not in ("ready_sequence", "running_since", "deleted")
]


_ASSETS_NAMED = sa.select(tables.assets).where(
    tables.assets.c.asset_id.in_(sa.bindparam("asset_ids", expanding=True))
)
_JOB = sa.select(tables.jobs).where(tables.jobs.c.job_id == sa.bindparam("job_id"))
_OUTPUTS = sa.select(tables.outputs).where(tables.outputs.c.job_id == sa.bindparam("job_id"))
_ASSET = sa.select(tables.assets).where(tables.assets.c.asset_id == sa.bindparam("asset_id"))
"""Kept: making a query takes as long as running it."""


@lru_cache
def _page_query(narrowed: frozenset[str]) -> sa.Select[Any]:
    """A page of jobs, narrowed by these values."""
    t = tables.jobs
    query = sa.select(*_OF_A_PAGE).where(t.c.deleted.is_(False))
    for name in ("owner", "status", "mode"):
        if name in narrowed:
            query = query.where(t.c[name] == sa.bindparam(name))
    if "before" in narrowed:
        query = query.where(t.c.submitted_sequence < sa.bindparam("before"))
    return query.order_by(t.c.submitted_sequence.desc()).limit(
        sa.bindparam("page_size", type_=sa.Integer)
    )


class ReadModel:
    """The gateway's view of the rows that the projector wrote."""

    def __init__(self, database: Database) -> None:
        """Reads through the database's reader."""
        self._database = database

    async def _all(self, query: sa.Select[*tuple[Any, ...]], **values: Any) -> list[Row]:
        async with self._database.asker.connect() as connection:
            result = await connection.execute(query, values)
            names = tuple(result.keys())
            return [dict(zip(names, row, strict=True)) for row in result]

    async def _one(self, query: sa.Select[Any], **values: Any) -> Row | None:
        rows = await self._all(query, **values)
        return rows[0] if rows else None

    async def job(self, job_id: str) -> Row | None:
        """The row of a job, deleted or not, or None when it is not projected (yet)."""
        return await self._one(_JOB, job_id=job_id)

    async def jobs(
        self,
        *,
        owner: str | None,
        limit: int,
        before: int | None = None,
        status: str | None = None,
        mode: str | None = None,
        words: Sequence[str] = (),
        asset_id: str | None = None,
    ) -> list[Row]:
        """Jobs that are not deleted, newest first, below the submitted sequence `before`.

        Of one owner, or of all (None). Every one of `words` must stand somewhere in the prompt,
        in any case (on SQLite: of the letters a to z); none of its characters is a wildcard.
        With `asset_id`, jobs that name this upload. Rows without what only the queue needs.
        """
        given = {"owner": owner, "before": before, "status": status, "mode": mode}
        values = {name: value for name, value in given.items() if value is not None}
        query, t = _page_query(frozenset(values)), tables.jobs
        for word in words:
            query = query.where(t.c.prompt.icontains(word, autoescape=True))
        if asset_id is not None:
            named = sa.cast(t.c.assets, sa.Text)
            query = query.where(named.contains(f'"{asset_id}"', autoescape=True))
        return await self._all(query, page_size=limit, **values)

    async def in_lanes(self, at_most: int) -> list[Row]:
        """What the queue needs of jobs whose step waits or runs, the longest ready first."""
        t = tables.jobs
        query = (
            sa.select(*(t.c[name] for name in _OF_THE_QUEUE))
            .where(t.c.lane.is_not(None), t.c.status.in_(("queued", "executing")))
            .order_by(t.c.ready_sequence)
            .limit(at_most)
        )
        return await self._all(query)

    async def runs_like(
        self, workflow: str, profile: str, *, simulated: bool, at_most: int
    ) -> list[Row]:
        """The latest finished steps of a workflow and profile, on real or simulated engines."""
        t = tables.step_runs
        query = sa.select(t.c.frames, t.c.ran_s).where(
            t.c.workflow_template == workflow,
            t.c.quality_profile == profile,
            t.c.simulated.is_(simulated),
        )
        return await self._all(query.order_by(t.c.sequence.desc()).limit(at_most))

    async def active_of(self, owner: str, at_most: int) -> list[str]:
        """Ids of an owner's jobs that have not ended."""
        t = tables.jobs
        query = sa.select(t.c.job_id).where(
            t.c.owner == owner,
            t.c.status.not_in(("completed", "failed", "cancelled")),
            t.c.deleted.is_(False),
        )
        return [row["job_id"] for row in await self._all(query.limit(at_most))]

    async def outputs(self, job_id: str) -> Row | None:
        """The delivered files of a job."""
        return await self._one(_OUTPUTS, job_id=job_id)

    async def asset(self, asset_id: str) -> Row | None:
        """The row of an asset, or None when it is not projected (yet)."""
        return await self._one(_ASSET, asset_id=asset_id)

    async def assets_named(self, asset_ids: Collection[str]) -> dict[str, Row]:
        """The rows of those of the assets that are projected, by id."""
        rows = await self._all(_ASSETS_NAMED, asset_ids=sorted(asset_ids)) if asset_ids else []
        return {row["asset_id"]: row for row in rows}

    async def assets(
        self, *, owner: str | None, limit: int, before: int | None = None, kind: str | None = None
    ) -> list[Row]:
        """Assets of one owner, or of all (None), newest first, below the uploaded sequence."""
        t = tables.assets
        query = sa.select(t)
        if owner is not None:
            query = query.where(t.c.owner == owner)
        if before is not None:
            query = query.where(t.c.uploaded_sequence < before)
        if kind is not None:
            query = query.where(t.c.kind == kind)
        return await self._all(query.order_by(t.c.uploaded_sequence.desc()).limit(limit))

    async def prompt(self, comfy_prompt_id: str) -> Row | None:
        """Which job, step and attempt a prompt id belongs to."""
        t = tables.prompts
        return await self._one(sa.select(t).where(t.c.comfy_prompt_id == comfy_prompt_id))

    async def checkpoints(self) -> dict[str, int]:
        """The last committed sequence of each stream."""
        return {r["stream"]: r["sequence"] for r in await self._all(sa.select(tables.checkpoints))}

    async def parked(self, limit: int = 100) -> list[Row]:
        """The latest messages that could not be read."""
        t = tables.parked
        return await self._all(sa.select(t).order_by(t.c.sequence.desc()).limit(limit))

    async def uploads_held(self) -> list[Row]:
        """Uploads that were not refused, by kind and day: {kind, day, uploads, size_bytes}.

        Uploads of the same bytes are stored once and count once, on the day of the first.
        """
        t = tables.assets
        once = (
            sa.select(
                t.c.kind,
                sa.func.max(t.c.size_bytes).label("size_bytes"),
                sa.func.min(t.c.created_at).label("at"),
            )
            .where(t.c.status != "rejected")
            .group_by(t.c.kind, t.c.sha256)
            .subquery()
        )
        day = self._day(once.c.at)
        return await self._all(
            sa.select(
                once.c.kind,
                day.label("day"),
                sa.func.count().label("uploads"),
                sa.func.sum(once.c.size_bytes).label("size_bytes"),
            )
            .group_by(once.c.kind, day)
            .order_by(day)
        )

    async def outputs_held(self) -> list[Row]:
        """Delivered files of jobs that are not deleted, by day: {day, jobs, videos_bytes,
        others_bytes}."""
        t, j = tables.outputs, tables.jobs
        day = self._day(t.c.created_at)
        others = sum((_size(name) for name in _BESIDE_THE_VIDEO), start=sa.literal(0))
        return await self._all(
            sa.select(
                day.label("day"),
                sa.func.count().label("jobs"),
                sa.func.sum(_size("video")).label("videos_bytes"),
                sa.func.sum(others).label("others_bytes"),
            )
            .join(j, j.c.job_id == t.c.job_id)
            .where(j.c.deleted.is_(False))
            .group_by(day)
            .order_by(day)
        )

    def _day(self, at: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
        """The day of a time in UTC, as 2026-01-31."""
        if self._database.asker.dialect.name == "sqlite":
            return sa.func.date(at)
        return sa.func.to_char(sa.func.timezone("UTC", at), "YYYY-MM-DD")


def _size(name: str) -> sa.ColumnElement[Any]:
    """Bytes of one delivered file in a row of outputs; 0 where the job has none."""
    return sa.func.coalesce(tables.outputs.c.files[(name, "size_bytes")].as_numeric(20, 0), 0)
