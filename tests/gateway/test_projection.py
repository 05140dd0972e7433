"""The read model: rebuilt bit for bit, one projector, poison parked, other streams noticed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from contracts.errors import ErrorCode, error_info
from contracts.events import AssetReady, AssetUploaded, JobFailed, RetryRequested
from contracts.subjects import job_subtree
from runtime.ids import new_id
from runtime.nats_process import NatsProcess
from runtime.provision import LEASE_TTL_S
from runtime.stamp import stamp
from services.gateway.adapters.db import migrate as migrations
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database, open_database
from services.gateway.adapters.db.migrate import drop_read_model, migrate
from services.gateway.adapters.db.writing import CheckpointMoved, ReadModelWriter
from services.gateway.projector import Projector
from services.gateway.settings import Settings
from tests.support import examples
from tests.support.bus import BusFactory
from tests.support.gateway import IMAGE_FACTS, StartGateway, World, whole_job
from tests.support.waiting import eventually


def database_of(state_dir: Path) -> Database:
    return open_database(Settings().url_of_database(state_dir))


async def dump(database: Database) -> dict[str, list[Any]]:
    """Every row of the read model, in the order of its primary key."""
    found = {}
    async with database.reader.begin() as connection:
        for name, table in tables.read_model.tables.items():
            query = sa.select(table).order_by(*table.primary_key.columns)
            found[name] = [tuple(row) for row in await connection.execute(query)]
    return found


async def projected(database: Database, stream: str, sequence: int) -> bool:
    return await ReadModelWriter(database).checkpoint(stream) == sequence


async def history(world: World) -> None:
    """Jobs in all kinds of states, an asset, strays and a message that is no event."""
    failed, given_up = new_id(), new_id()
    error = error_info(ErrorCode.ENGINE_LOST)
    for _ in range(3):
        await world.say(*whole_job(new_id()))
    await world.say(
        *whole_job(failed)[:6],
        JobFailed(**stamp(None), job_id=failed, service="executor", error=error),
    )
    await world.say(
        *whole_job(given_up)[:6],
        JobFailed(**stamp(None), job_id=given_up, service="executor", error=error),
    )
    await world.buses["gateway"].publish(
        RetryRequested(**stamp(None), job_id=failed, requested_by="local", attempt=2)
    )
    stray = whole_job(new_id())
    await world.say(stray[3], stray[0], stray[8])
    asset_id, file = new_id(), examples.stored(f"assets/{'ab' * 32}/original.png")
    await world.say(
        AssetUploaded(
            **stamp(None),
            asset_id=asset_id,
            owner="local",
            kind="image",
            mime_type="image/png",
            filename="a.png",
            file=file,
        ),
        AssetReady(**stamp(None), asset_id=asset_id, facts=IMAGE_FACTS, thumbnail=file),
    )
    client = world.buses["gateway"].client
    subject = job_subtree(new_id()).replace(">", "job_submitted")
    await client.jetstream().publish(subject, b'{"event": "job_submitted", "version": 99}')
    await world.say(*whole_job(new_id())[:4])


async def listed(world: World) -> list[dict[str, Any]]:
    """The page of jobs without their place in the queue, which moves by itself."""

    def still(job: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in job.items() if name != "queue"}

    page = [still(job) for job in (await world.http.get("/api/jobs")).json()["jobs"]]
    alone = [still((await world.http.get(f"/api/jobs/{j['job_id']}")).json()) for j in page]
    # A page is written without the models that check a single job.
    assert page == alone
    assert [list(job) for job in page] == [list(job) for job in alone]
    return page


async def test_dropped_read_model_is_rebuilt_bit_for_bit(gateway: StartGateway) -> None:
    async with gateway() as world:
        database = database_of(world.state_dir)
        await history(world)
        last = (await world.buses["gateway"].stream_state("JOBS")).last_sequence
        await eventually(lambda: projected(database, "JOBS", last))
        await eventually(lambda: projected(database, "ASSETS", 2))
        before = await dump(database)
        shown = await listed(world)
    await drop_read_model(database)
    async with gateway() as world:
        await eventually(lambda: projected(database, "JOBS", last))
        await eventually(lambda: projected(database, "ASSETS", 2))
        assert await dump(database) == before
        assert await listed(world) == shown
    await database.close()
    assert len(before["read_jobs"]) == 7
    assert [row[1] for row in before["read_parked"]] == [last - 4]
    ignored = [json.loads(r[5])["event"] for r in before["read_job_events"] if r[6]]
    assert ignored == ["step_ready", "job_completed"]


async def test_read_model_of_another_form_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of(tmp_path)
    assert await migrate(database)
    assert not await migrate(database)
    monkeypatch.setattr(migrations, "PROJECTION_VERSION", 99)
    assert await migrate(database)
    async with database.writer.begin() as connection:
        await connection.execute(sa.text("DROP TABLE read_outputs"))
    assert await migrate(database)
    await database.close()


async def test_migrating_twice_at_once_is_harmless_and_keeps_app(tmp_path: Path) -> None:
    one, other = database_of(tmp_path), database_of(tmp_path)
    assert sorted(await asyncio.gather(migrate(one), migrate(other))) == [False, True]
    async with one.writer.begin() as connection:
        await connection.execute(
            tables.idempotency_keys.insert().values(
                owner="o", key="k", body_sha256="0", job_id="j", event="{}", created_at=examples._AT
            )
        )
    await drop_read_model(one)
    await migrate(other)
    async with other.reader.begin() as connection:
        kept = (await connection.execute(sa.select(tables.idempotency_keys))).one()
        mode = (await connection.execute(sa.text("PRAGMA journal_mode"))).scalar()
        synchronous = (await connection.execute(sa.text("PRAGMA synchronous"))).scalar()
    assert kept.created_at == examples._AT
    assert (mode, synchronous) == ("wal", 2)
    await one.close()
    await other.close()


async def test_migrations_make_exactly_the_tables_of_app(tmp_path: Path) -> None:
    database = database_of(tmp_path)
    await migrate(database)

    def differences(connection: sa.Connection) -> list[Any]:
        from alembic.autogenerate import compare_metadata
        from alembic.runtime.migration import MigrationContext

        def ours(name: str | None, kind: str, _parents: object) -> bool:
            return kind != "table" or name in tables.app.tables

        context = MigrationContext.configure(connection, opts={"include_name": ours})
        return list(compare_metadata(context, tables.app))

    async with database.writer.begin() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_second_projector_writes_nothing_over_the_first(tmp_path: Path) -> None:
    database = database_of(tmp_path)
    await migrate(database)
    writer = ReadModelWriter(database)
    await writer.commit_assets(assets=[], parked=[], before=0, after=7)
    with pytest.raises(CheckpointMoved):
        await writer.commit_assets(assets=[], parked=[], before=0, after=3)
    assert await writer.checkpoint("ASSETS") == 7
    await database.close()


async def test_two_gateways_share_the_work_of_one_projector(
    bus_factory: BusFactory, tmp_path: Path
) -> None:
    bus, database = await bus_factory("gateway"), database_of(tmp_path)
    await migrate(database)
    first_stop, second_stop = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(Projector(bus, database, "one").run(first_stop))
    second = asyncio.create_task(Projector(bus, database, "two").run(second_stop))
    await bus.publish(whole_job(new_id())[0])
    await eventually(lambda: projected(database, "JOBS", 1))
    first_stop.set()
    await first
    await bus.publish(whole_job(new_id())[0])
    await eventually(lambda: projected(database, "JOBS", 2))
    second_stop.set()
    await second
    await database.close()


async def test_read_model_of_a_stream_that_is_gone_is_rebuilt(
    bus_factory: BusFactory, tmp_path: Path
) -> None:
    bus, database = await bus_factory("gateway"), database_of(tmp_path)
    await migrate(database)
    await ReadModelWriter(database).commit_assets(assets=[], parked=[], before=0, after=500)
    job_id, stop = new_id(), asyncio.Event()
    await bus.publish(whole_job(job_id)[0])
    projecting = asyncio.create_task(Projector(bus, database, "one").run(stop))
    await eventually(lambda: projected(database, "JOBS", 1))
    assert await ReadModelWriter(database).checkpoint("ASSETS") == 0
    stop.set()
    await projecting
    await database.close()


async def test_gateway_outlives_an_outage_longer_than_its_leases(
    world: World, nats_server: NatsProcess
) -> None:
    await world.say(whole_job(new_id())[0])
    nats_server.kill()
    await asyncio.sleep(LEASE_TTL_S + 1)
    nats_server.start()
    job_id = new_id()
    await world.say(*whole_job(job_id)[:3])
    await world.reaches(job_id, "queued")
    database = database_of(world.state_dir)
    await eventually(lambda: projected(database, "JOBS", 4), within_s=30)
    await database.close()


async def test_projection_survives_a_restart_of_the_bus(
    world: World, nats_server: NatsProcess
) -> None:
    await world.say(whole_job(new_id())[0])
    nats_server.kill()
    nats_server.start()
    job_id = new_id()
    await world.say(*whole_job(job_id)[:3])
    await world.reaches(job_id, "queued")
    database = database_of(world.state_dir)
    await eventually(lambda: projected(database, "JOBS", 4), within_s=30)
    await database.close()
