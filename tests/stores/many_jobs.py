"""Fills a read model with jobs of several owners, for tests and measurements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database
from services.gateway.projection import Row

_START = datetime(2026, 1, 1, tzinfo=UTC)
_STATES = ("completed", "completed", "completed", "failed")
_MODES = ("animate", "audio_performance")


def job(n: int, owners: int) -> Row:
    """The n-th job's row, n from 0."""
    at = _START + timedelta(seconds=n)
    return {
        "job_id": f"0190a0a0-0000-7000-8000-{n:012d}",
        "sequence": 10 * n + 9,
        "submitted_sequence": 10 * n + 1,
        "ready_sequence": None,
        "owner": f"owner-{n % owners}",
        "mode": _MODES[n % 2],
        "workflow_template": "wan22_animate_move@1.0.0",
        "status": _STATES[n % 4],
        "prompt": "A dancer turns on the spot",
        "negative_prompt": "",
        "settings": {
            "seed": n,
            "segments": 1,
            "duration_s": 5.0625,
            "relighting": False,
            "aspect_ratio": "9:16",
            "animate_submode": "move",
            "quality_profile": "draft",
            "background_preservation": False,
        },
        "assets": [
            {
                "role": role,
                "index": 0,
                "asset_id": f"0190a0a0-0000-7000-{place}000-{n:012d}",
                "used": True,
                "note": None,
            }
            for place, role in ((8, "ground_truth"), (9, "motion_video"))
        ],
        "delivery": {"width_px": 480, "height_px": 832, "fps": 16, "frames": 81},
        "notes": ["A simulated generator will make this video."],
        "comfy_prompt_id": None,
        "lane": None,
        "attempt": 1,
        "step": 1,
        "steps": 1,
        "cancel_requested": False,
        "simulated": True,
        "error": None,
        "deleted": False,
        "created_at": at,
        "updated_at": at,
    }


async def fill(database: Database, *, jobs: int, owners: int, batch: int = 5000) -> None:
    """Insert so many jobs, one owner after the other.

    Beyond the first batches the database copies them itself, with ids and places of their own.
    """
    written = min(jobs, 4 * batch)
    for start in range(0, written, batch):
        rows = [job(n, owners) for n in range(start, min(start + batch, written))]
        async with database.writer.begin() as connection:
            await connection.execute(tables.jobs.insert(), rows)
    for start in range(written, jobs, written):
        async with database.writer.begin() as connection:
            await connection.execute(_copies(start, min(written, jobs - start)))


def _copies(start: int, count: int) -> sa.Insert:
    """The first `count` jobs again, as the `start`-th and following."""
    t = tables.jobs
    number = (t.c.submitted_sequence - 1) / 10 + start
    # Twelve digits with leading zeros, in both dialects.
    digits = sa.func.substr(sa.cast(sa.cast(number, sa.BigInteger) + 10**12, sa.Text), 2, 12)
    changed = {
        "job_id": sa.func.substr(t.c.job_id, 1, 24).op("||")(digits),
        "sequence": t.c.sequence + 10 * start,
        "submitted_sequence": t.c.submitted_sequence + 10 * start,
    }
    columns = [changed.get(c.name, c) for c in t.columns]
    copied = sa.select(*columns).where(t.c.submitted_sequence < 10 * count)
    return t.insert().from_select([c.name for c in t.columns], copied)
