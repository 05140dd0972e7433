"""What both databases promise, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from cryptography.fernet import Fernet
from sqlalchemy.exc import OperationalError

from services.gateway.access.sealing import Seal, SealBroken, is_sealed
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import THREAD_NAME, Database, open_database
from services.gateway.adapters.db.idempotency import IdempotencyKeys, Submission
from services.gateway.adapters.db.migrate import drop_read_model, migrate
from services.gateway.adapters.db.reading import ReadModel
from services.gateway.adapters.db.shares import Shares
from services.gateway.adapters.db.writing import CheckpointMoved, ReadModelWriter
from services.gateway.settings import Settings
from tests.stores.many_jobs import fill, job
from tests.stores.postgres_server import PostgresServer
from tests.support.gateway import whole_job
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("postgres")


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/test.sqlite3"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    # As an operator pastes it: without the name of a driver.
    return (await server.new_database()).replace("postgresql+asyncpg://", "postgresql://")


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A migrated database."""
    opened = open_database(url)
    await migrate(opened)
    yield opened
    await opened.close()


def submission(key: str, owner: str = "o") -> Submission:
    event = whole_job("0190a0a0-0000-7000-8000-000000000001")[0]
    return Submission(owner, key, "ab" * 32, event, event.occurred_at)


async def test_migrations_at_once_wait_for_one_another(url: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "ANIMATRIX_GATEWAY_DATABASE_URL": url,
        "ANIMATRIX_STATE_DIR": str(tmp_path),
    }

    async def one() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.gateway.adapters.db"),
            env=environment,
            stderr=subprocess.PIPE,
        )
        _, said = await process.communicate()
        return process.returncode, said.decode()

    # The lock is the database's own: connections of one process and another process wait alike.
    (code, said), here = await asyncio.gather(one(), _migrated_by_three(url))
    assert code == 0, said
    assert said.count('"read_model_made_anew": true') + here == 1, said


async def test_what_is_owned_outlives_a_rebuild(database: Database) -> None:
    keys = IdempotencyKeys(database)
    given = submission("k")
    assert await keys.keep(given)
    await drop_read_model(database)
    assert await migrate(database)
    assert await keys.find("o", "k") == given
    assert await keys.find("other", "k") is None


async def test_one_of_many_submits_under_a_key_wins(database: Database) -> None:
    keys = IdempotencyKeys(database)
    won = await asyncio.gather(*(keys.keep(submission("k")) for _ in range(12)))
    assert sorted(won) == [False] * 11 + [True]


async def test_of_many_projectors_one_moves_the_checkpoint(database: Database) -> None:
    async def move(n: int) -> bool:
        try:
            await ReadModelWriter(database).commit_assets(assets=[], parked=[], before=0, after=n)
        except CheckpointMoved:
            return False
        return True

    moved = await asyncio.gather(*(move(n) for n in range(1, 9)))
    assert moved.count(True) == 1
    assert await ReadModelWriter(database).checkpoint("ASSETS") == moved.index(True) + 1


async def test_failed_transaction_leaves_nothing(database: Database) -> None:
    async def half() -> None:
        async with database.writer.begin() as connection:
            await connection.execute(tables.checkpoints.insert().values(stream="JOBS", sequence=1))
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await half()
    assert await ReadModel(database).checkpoints() == {}


async def _migrated_by_three(url: str) -> int:
    """How many of three migrations at once in this process made the read model."""
    opened = [open_database(url) for _ in range(3)]
    try:
        return sum(await asyncio.gather(*(migrate(one) for one in opened)))
    finally:
        for one in opened:
            await one.close()


@pytest.mark.parametrize(
    "narrowed", [{}, {"status": "completed"}, {"mode": "animate"}, {"before": 400}]
)
async def test_listing_walks_an_index_and_sorts_nothing(
    database: Database, narrowed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, jobs=800, owners=40)
    read, asked = ReadModel(database), []

    async def explained(query: sa.Select[Any], **values: Any) -> list[Any]:
        compiled = query.params(values).compile(
            database.reader.sync_engine, compile_kwargs={"literal_binds": True}
        )
        words = "EXPLAIN" if database.reader.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        async with database.reader.begin() as connection:
            if words == "EXPLAIN":
                # So few rows would be read whole, and without statistics any index looks as good
                # as another; the question is what a million rows would do.
                await connection.execute(sa.text("ANALYZE read_jobs"))
                await connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
                await connection.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
            rows = await connection.exec_driver_sql(f"{words} {compiled}")
            asked.append(" ".join(str(row) for row in rows))
        return []

    monkeypatch.setattr(read, "_all", explained)
    await read.jobs(owner="owner-1", limit=50, **narrowed)
    assert "ix_read_jobs_owner" in asked[0], asked
    assert "Sort" not in asked[0], asked
    assert "TEMP B-TREE" not in asked[0], asked


async def test_pages_of_many_owners_hold_their_own_newest_first(database: Database) -> None:
    await fill(database, jobs=300, owners=3, batch=15)
    read, seen, before = ReadModel(database), list[int](), None
    while page := await read.jobs(owner="owner-1", limit=17, before=before, status="completed"):
        assert {(row["owner"], row["status"]) for row in page} == {("owner-1", "completed")}
        before = page[-1]["submitted_sequence"]
        seen += [row["submitted_sequence"] for row in page]
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == sum(1 for n in range(300) if n % 3 == 1 and n % 4 != 3)


async def test_jobs_are_found_by_words_of_their_prompt_and_by_an_upload(
    database: Database,
) -> None:
    await fill(database, jobs=6, owners=2)
    t = tables.jobs
    async with database.writer.begin() as connection:
        for n, prompt in enumerate(("100% Silk, a red_coat", "100 silk coats", "a redXcoat")):
            wanted = t.c.job_id == job(n, 2)["job_id"]
            await connection.execute(sa.update(t).where(wanted).values(prompt=prompt))
    read = ReadModel(database)

    async def found(*words: str, owner: str | None = None, **more: Any) -> list[int]:
        page = await read.jobs(owner=owner, limit=50, words=words, **more)
        return [(row["submitted_sequence"] - 1) // 10 for row in page]

    assert await found("silk") == [1, 0]
    assert await found("COAT", "sILK") == [1, 0]
    assert await found("silk", owner="owner-1") == [1]
    assert await found("silk", before=11) == [0]
    # What is a wildcard to the database is a character to a person.
    assert await found("100%") == [0]
    assert await found("red_coat") == [0]
    assert await found("\\") == []
    assert await found(asset_id="0190a0a0-0000-7000-9000-000000000004") == [4]


async def test_what_is_held_is_added_up_by_kind_and_day(database: Database) -> None:
    at = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)

    def upload(n: int, sha256: str, **more: Any) -> dict[str, Any]:
        return {
            "asset_id": f"0190a0a0-0000-7000-9000-{n:012d}",
            "sequence": n,
            "uploaded_sequence": n,
            "owner": "o",
            "kind": "image",
            "mime_type": "image/png",
            "filename": "a.png",
            "media_key": "k",
            "sha256": sha256,
            "size_bytes": 3_000_000_000,
            "status": "ready",
            "created_at": at + timedelta(hours=n),
            **more,
        }

    files = {"video": {"size_bytes": 5_000_000_000}, "poster": {"size_bytes": 7}, "frames": None}
    held = [job(n, 1) for n in range(2)]
    held[1]["deleted"] = True
    made = [
        {
            "job_id": one["job_id"],
            "sequence": 1,
            "output_id": "o",
            "attempt": 1,
            "simulated": True,
            "files": files,
            "created_at": at,
        }
        for one in held
    ]
    async with database.writer.begin() as connection:
        await connection.execute(tables.jobs.insert(), held)
        await connection.execute(tables.outputs.insert(), made)
        await connection.execute(
            tables.assets.insert(),
            [upload(0, "a"), upload(1, "a"), upload(2, "b"), upload(3, "c", status="rejected")],
        )
    read = ReadModel(database)
    assert [{**row, "size_bytes": int(row["size_bytes"])} for row in await read.uploads_held()] == [
        {"kind": "image", "day": "2026-01-31", "uploads": 1, "size_bytes": 3_000_000_000},
        {"kind": "image", "day": "2026-02-01", "uploads": 1, "size_bytes": 3_000_000_000},
    ]
    [day] = await read.outputs_held()
    assert (day["day"], day["jobs"]) == ("2026-01-31", 1)
    assert (int(day["videos_bytes"]), int(day["others_bytes"])) == (5_000_000_000, 7)


def test_password_of_the_database_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATRIX_GATEWAY_DATABASE_URL", "postgresql://u:hush@db/animatrix")
    assert "hush" not in repr(Settings())


async def cancel_twice_while_asking(database: Database, rows: int) -> None:
    """A task that counts so many rows is over before it has an answer."""
    counting = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :rows) "
        "SELECT count(*) FROM n"
    )
    asking = asyncio.Event()

    async def ask() -> None:
        async with database.reader.connect() as connection:
            asking.set()
            await connection.execute(sa.text(counting), {"rows": rows})

    task = asyncio.create_task(ask())
    await asking.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


def asking_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == THREAD_NAME}


async def test_a_question_that_is_cancelled_twice_leaves_no_task_behind(tmp_path: Path) -> None:
    """What it left kept the event loop, and so the process, from ending."""
    opened = open_database(f"sqlite+aiosqlite:///{tmp_path}/gateway.sqlite3")
    before = asyncio.all_tasks()
    await cancel_twice_while_asking(opened, 1_000_000)
    await eventually(lambda: asyncio.all_tasks() == before)
    await opened.close()


async def test_a_closed_database_has_broken_off_what_nobody_waits_for(tmp_path: Path) -> None:
    """Its thread answered an event loop that was closed meanwhile."""
    opened, before = open_database(f"sqlite+aiosqlite:///{tmp_path}/a.sqlite3"), asking_threads()
    await cancel_twice_while_asking(opened, 10_000_000_000)
    assert asking_threads() > before
    await asyncio.wait_for(opened.close(), 30)
    assert asking_threads() <= before


async def test_a_closed_database_answers_nobody_who_still_holds_a_connection(
    tmp_path: Path,
) -> None:
    opened, before = open_database(f"sqlite+aiosqlite:///{tmp_path}/a.sqlite3"), asking_threads()
    async with opened.reader.connect() as connection:
        await opened.close()
        assert asking_threads() <= before
        with pytest.raises(OperationalError):
            await connection.execute(sa.text("SELECT 1"))


async def test_the_secret_of_share_links_lies_sealed_and_outlives_a_change_of_the_key(
    database: Database,
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    values = sa.select(tables.secrets.c.value)

    async def kept() -> bytes:
        async with database.reader.connect() as connection:
            return bytes((await connection.execute(values)).scalar_one())

    # As a system of before there were seals left it.
    plain = bytes(range(200, 232))
    async with database.writer.begin() as connection:
        row = {"name": "share_links", "value": plain}
        await connection.execute(tables.secrets.insert().values(row))
    sealed = Shares(database, Seal([old]))
    await sealed.reseal()
    assert is_sealed(await kept())
    assert plain.hex().encode() not in await kept()
    assert await sealed.secret() == plain
    before = await kept()
    renewed = Shares(database, Seal([new, old]))
    await renewed.reseal()
    assert await kept() != before
    assert await Shares(database, Seal([new])).secret() == plain
    with pytest.raises(SealBroken):
        await Shares(database, Seal([old])).secret()


async def test_the_first_who_asks_makes_the_secret_of_share_links_for_all(
    database: Database,
) -> None:
    seal = Seal([Fernet.generate_key().decode()])
    both = [Shares(database, seal), Shares(database, seal)]
    first, second = await asyncio.gather(*(shares.secret() for shares in both))
    assert first == second
    assert len(first) == 32
