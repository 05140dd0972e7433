"""Properties of the projector: whatever comes twice, and however it is cut into batches, the rows
are those of the events that count."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.events import AnyJobEvent, encode_event
from contracts.subjects import subject_of
from runtime.follow import Followed
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database, open_database
from services.gateway.adapters.db.migrate import migrate
from services.gateway.adapters.db.writing import CheckpointMoved, ReadModelWriter
from services.gateway.projector import JobsProjection
from tests.contract.test_lifecycle_properties import histories

PLACES = {"sequence", "submitted_sequence", "ready_sequence"}
RELAXED = settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate],
)


def followed(event: AnyJobEvent, sequence: int) -> Followed:
    """An event as it is read from the stream."""
    return Followed(
        event=event,
        sequence=sequence,
        subject=subject_of(event),
        published_at=event.occurred_at,
        headers={},
        payload=encode_event(event),
    )


async def project(messages: Sequence[Followed], cuts: Sequence[int], again: bool) -> dict[str, Any]:
    """The rows after these messages in batches; with `again`, each batch once more by a projector
    that knows nothing, as after a crash before its checkpoint was seen."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite+aiosqlite:///{Path(folder)}/a.sqlite3")
        try:
            await migrate(database)
            projection, at = JobsProjection(ReadModelWriter(database)), 0
            bounds = [0, *sorted({cut for cut in cuts if cut < len(messages)}), len(messages)]
            for first, last in pairwise(bounds):
                batch = messages[first:last]
                if not batch:
                    continue
                await projection.commit(batch, at)
                if again:
                    projection = JobsProjection(ReadModelWriter(database))
                    try:
                        await projection.commit(batch, at)
                    except CheckpointMoved:
                        pass
                    else:
                        raise AssertionError("a batch was committed twice")
                at = batch[-1].sequence
            return await rows(database)
        finally:
            await database.close()


async def rows(database: Database) -> dict[str, Any]:
    """Every row, by table."""
    found = {}
    async with database.reader.begin() as connection:
        for table in (tables.jobs, tables.job_events, tables.prompts, tables.outputs):
            query = sa.select(table).order_by(*table.primary_key.columns)
            found[table.name] = [dict(r) for r in (await connection.execute(query)).mappings()]
    return found


def without_places(found: dict[str, Any]) -> dict[str, Any]:
    """The rows that count, without their places in the stream."""
    return {
        name: [
            {key: value for key, value in row.items() if key not in PLACES}
            for row in some
            if row.get("ignored") is None
        ]
        for name, some in found.items()
    }


@RELAXED
@given(histories(most=14), st.lists(st.integers(1, 20), max_size=4))
def test_redelivered_batches_and_any_cut_end_in_the_same_rows_bit_for_bit(
    events: list[AnyJobEvent], cuts: list[int]
) -> None:
    messages = [followed(event, n) for n, event in enumerate(events, 1)]
    whole = asyncio.run(project(messages, [], again=False))
    assert asyncio.run(project(messages, cuts, again=True)) == whole


@RELAXED
@given(histories(most=14), st.data())
def test_duplicated_events_end_in_the_same_rows(
    events: list[AnyJobEvent], data: st.DataObject
) -> None:
    noisy: list[AnyJobEvent] = []
    for number, event in enumerate(events):
        noisy.append(event)
        noisy.extend(events[n] for n in data.draw(st.lists(st.integers(0, number), max_size=2)))
    clean = asyncio.run(project([followed(x, n) for n, x in enumerate(events, 1)], [], False))
    twice = asyncio.run(project([followed(x, n) for n, x in enumerate(noisy, 1)], [3], False))
    assert without_places(twice) == without_places(clean)
    assert len(twice["read_job_events"]) == len(noisy)
