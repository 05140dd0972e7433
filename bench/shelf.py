"""A page among very many jobs: as a client gets it over HTTP, and as the gateway reads it.

On SQLite, and on PostgreSQL where there is one.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx

from bench.figures import Finding, Series, series
from runtime.nats_process import NatsProcess
from runtime.provision import provision
from services.gateway.adapters.db.engine import open_database
from services.gateway.adapters.db.migrate import migrate
from services.gateway.adapters.db.reading import ReadModel
from tests.stores.many_jobs import fill
from tests.stores.postgres_server import postgres_programs, running_postgres
from tests.support.ports import free_port
from tests.support.waiting import eventually

OWNERS = 100
ASKED = 300
WARM = 30
PAGE = 50
GOAL_MS = 5


async def listing(folder: Path, jobs: int) -> list[Finding]:
    """Pages of 50 at random places, by owner alone and by owner and state, on each database."""
    found = [await on_sqlite(folder / "sqlite", jobs)]
    if postgres_programs() is not None:
        with running_postgres() as server:
            found.append(await _on(folder / "postgresql", await server.new_database(), jobs))
    return found


async def on_sqlite(folder: Path, jobs: int) -> Finding:
    """Pages on SQLite alone."""
    return await _on(folder, f"sqlite+aiosqlite:///{folder}/many.sqlite3", jobs)


async def _on(folder: Path, url: str, jobs: int) -> Finding:
    folder.mkdir()
    database = open_database(url)
    await migrate(database)
    began_s = time.perf_counter()
    await fill(database, jobs=jobs, owners=OWNERS)
    if database.reader.dialect.name == "postgresql":
        async with database.writer.begin() as connection:
            # Its own daemon would, some minutes later.
            await connection.exec_driver_sql("ANALYZE read_jobs")
    filled_s = time.perf_counter() - began_s
    alone = [await _read(ReadModel(database), jobs, status) for status in (None, "completed")]
    await database.close()
    async with _gateway(folder, url) as http:
        asked = [await _ask(http, jobs, status) for status in (None, "completed")]
    worst_ms = max(one.at(50) for one in asked)
    return Finding(
        f"a page of jobs among {jobs:,} ({database.reader.dialect.name})",
        f"p50 ≤ {GOAL_MS} ms",
        (*asked, *alone),
        worst_ms <= GOAL_MS,
        f"p50 {worst_ms:.2f} ms over HTTP (filled in {filled_s:.0f} s)",
        ("the query with its rows, without HTTP",),
    )


async def _read(read: ReadModel, jobs: int, status: str | None) -> Series:
    pick, times_ms = random.Random(1), []
    for _ in range(WARM + ASKED):
        owner, before = f"owner-{pick.randrange(OWNERS)}", pick.randrange(1, 10 * jobs)
        began_s = time.perf_counter()
        await read.jobs(owner=owner, limit=PAGE, before=before, status=status)
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return series(f"query, status {status or 'any'}", "ms", times_ms[WARM:])


async def _ask(http: httpx.AsyncClient, jobs: int, status: str | None) -> Series:
    """With the key of an owner each, so that credentials are looked up too."""
    pick, times_ms = random.Random(2), []
    keys = [await _key(http, f"owner-{n}") for n in range(5)]
    for _ in range(WARM + ASKED):
        cursor = base64.urlsafe_b64encode(f"b{pick.randrange(500, 10 * jobs)}".encode())
        asked = {"limit": str(PAGE), "cursor": cursor.decode().rstrip("=")}
        asked |= {"status": status} if status else {}
        who = {"Authorization": f"Bearer {pick.choice(keys)}"}
        began_s = time.perf_counter()
        answer = await http.get("/api/jobs", params=asked, headers=who)
        times_ms.append((time.perf_counter() - began_s) * 1000)
        answer.raise_for_status()
    return series(f"HTTP, status {status or 'any'}", "ms", times_ms[WARM:])


async def _key(http: httpx.AsyncClient, owner: str) -> str:
    made = await http.post("/api/admin/keys", json={"owner": owner, "role": "viewer"})
    made.raise_for_status()
    return str(made.json()["key"])


@asynccontextmanager
async def _gateway(folder: Path, url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway alone on a bus of its own, and an operator's client of it."""
    bus, port, token = NatsProcess(folder / "nats"), free_port(), secrets.token_hex(16)
    bus.start()
    try:
        await provision(bus.url, ())
        with _running(folder, bus.url, url, port, token):
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {token}"},
                trust_env=False,
            ) as http:
                await eventually(lambda: _answers(http), within_s=60)
                await asyncio.sleep(2)
                yield http
    finally:
        bus.stop()


@contextmanager
def _running(folder: Path, bus_url: str, url: str, port: int, token: str) -> Iterator[None]:
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.gateway"],
            env={
                **os.environ,
                "ANIMATRIX_NATS_URL": bus_url,
                "ANIMATRIX_STATE_DIR": str(folder / "state"),
                "ANIMATRIX_MEDIA_DIR": str(folder / "media"),
                "ANIMATRIX_GATEWAY_DATABASE_URL": url,
                "ANIMATRIX_GATEWAY_PORT": str(port),
                "ANIMATRIX_GATEWAY_API_TOKEN": token,
            },
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(40)


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/api/capabilities")).status_code == 200
    except httpx.TransportError:
        return False
