"""The rebuild of the read model: taken up by a successor, and honest when rows were wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.bus import Bus
from runtime.ids import new_id
from runtime.stamp import now
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database
from services.gateway.adapters.db.migrate import migrate
from services.gateway.adapters.db.rebuilds import Rebuild, Rebuilds, hash_read_model
from services.gateway.adapters.db.writing import ReadModelWriter
from services.gateway.projector import Projector
from tests.gateway.test_projection import database_of, projected
from tests.support.bus import BusFactory
from tests.support.gateway import whole_job
from tests.support.waiting import eventually


def requested() -> Rebuild:
    return Rebuild(new_id(), "requested", requested_by="tests", requested_at=now())


async def filled(bus_factory: BusFactory, state_dir: Path) -> tuple[Bus, Database]:
    """A bus with some jobs, and a database that nobody projects into yet."""
    services = ("gateway", "ingest", "composer", "executor", "collector")
    buses = {name: await bus_factory(name) for name in services}  # type: ignore[arg-type]
    for _ in range(3):
        events = whole_job(new_id())
        await buses["gateway"].publish(events[0])
        await buses["ingest"].publish(events[1])
    database = database_of(state_dir)
    await migrate(database)
    return buses["gateway"], database


async def test_rows_that_were_wrong_are_put_right_and_the_rebuild_says_they_differ(
    bus_factory: BusFactory, tmp_path: Path
) -> None:
    bus, database = await filled(bus_factory, tmp_path)
    stop = asyncio.Event()
    projecting = asyncio.create_task(Projector(bus, database, "one").run(stop))
    await eventually(lambda: projected(database, "JOBS", 6))
    right = await hash_read_model(database)
    async with database.writer.begin() as connection:
        await connection.execute(tables.jobs.update().values(prompt="someone wrote this"))
    rebuilds = Rebuilds(database)
    asked = await rebuilds.ask(requested())
    assert (await rebuilds.ask(requested())).rebuild_id == asked.rebuild_id

    async def done() -> Rebuild | None:
        found = await rebuilds.find(asked.rebuild_id)
        return found if found is not None and found.state == "done" else None

    rebuilt: Rebuild = await eventually(done)
    assert rebuilt.before_sha256 != rebuilt.after_sha256
    assert rebuilt.after_sha256 == right.sha256
    assert await hash_read_model(database) == right
    stop.set()
    await projecting
    await database.close()


async def test_a_rebuild_that_died_halfway_is_finished_by_the_next_projector(
    bus_factory: BusFactory, tmp_path: Path
) -> None:
    bus, database = await filled(bus_factory, tmp_path)
    stop = asyncio.Event()
    projecting = asyncio.create_task(Projector(bus, database, "one").run(stop))
    await eventually(lambda: projected(database, "JOBS", 6))
    stop.set()
    await projecting
    before = await hash_read_model(database)
    rebuilds = Rebuilds(database)
    asked = await rebuilds.ask(requested())
    running = replace(
        asked,
        state="running",
        began_at=now(),
        jobs_sequence=before.jobs_sequence,
        assets_sequence=before.assets_sequence,
        before_sha256=before.sha256,
    )
    await rebuilds.begin(running)
    assert await ReadModelWriter(database).checkpoint("JOBS") == 0
    stop = asyncio.Event()
    projecting = asyncio.create_task(Projector(bus, database, "two").run(stop))

    async def done() -> Rebuild | None:
        found = await rebuilds.find(asked.rebuild_id)
        return found if found is not None and found.state == "done" else None

    rebuilt: Rebuild = await eventually(done)
    assert rebuilt.before_sha256 == rebuilt.after_sha256
    stop.set()
    await projecting
    await database.close()


@pytest.mark.parametrize("more", [0, 2])
async def test_the_hash_stands_at_the_sequences_of_its_own_snapshot(
    bus_factory: BusFactory, tmp_path: Path, more: int
) -> None:
    bus, database = await filled(bus_factory, tmp_path)
    for _ in range(more):
        await bus.publish(whole_job(new_id())[0])
    stop = asyncio.Event()
    projecting = asyncio.create_task(Projector(bus, database, "one").run(stop))
    await eventually(lambda: projected(database, "JOBS", 6 + more))
    assert (await hash_read_model(database)).jobs_sequence == 6 + more
    stop.set()
    await projecting
    await database.close()
