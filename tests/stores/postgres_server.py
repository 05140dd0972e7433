"""A real PostgreSQL for tests: Debian's or any other on PATH, started once per worker.

It refuses to run as root, so as root it runs as an unprivileged user. Another server can be named
with ANIMATRIX_TEST_DATABASE_URL, whose user may make databases.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from runtime.ids import new_id
from tests.support.ports import free_port
from tests.support.promised import skip_or_fail

NOBODY = 65534
FAST = ("fsync=off", "full_page_writes=off", "max_connections=60", "shared_buffers=64MB")
"""A test's data need not outlive the machine."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server; `url` is that of its maintenance database. One of ours can be stopped at once, as
    by a crash, and started on the same data."""

    url: str
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None

    async def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"animatrix_{new_id()[-12:]}"
        engine = create_async_engine(self.url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        await engine.dispose()
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)


def postgres_programs() -> Path | None:
    """The folder of a server's programs; None without one."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    on_path = shutil.which("initdb")
    return debian[-1].parent if debian else Path(on_path).parent if on_path else None


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """The server that the environment names, or one in a folder of its own under /tmp."""
    if url := os.environ.get("ANIMATRIX_TEST_DATABASE_URL"):
        yield PostgresServer(url)
        return
    programs = postgres_programs()
    if programs is None:
        skip_or_fail("no PostgreSQL: on Debian `apt-get install postgresql`")
        return
    # Not below pytest's own folder, which the unprivileged user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="animatrix-pg-"))
    data, port = folder / "data", free_port()
    as_root = os.getuid() == 0
    if as_root:
        os.chown(folder, NOBODY, NOBODY)

    def call(*argv: str) -> None:
        user = NOBODY if as_root else None
        done = subprocess.run(
            argv, cwd=folder, user=user, group=user, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{argv[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}"

    options = " ".join(
        f"-c {o}"
        for o in (*FAST, f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
    )
    password = folder / "password"
    password.write_text("test-password")
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
    try:
        call(
            *(str(programs / "initdb"), "-D", str(data), "-U", "animatrix", "--no-sync"),
            *("-E", "UTF8", "-A", "scram-sha-256", "--pwfile", str(password)),
        )
        start = partial(call, *control, "-l", str(folder / "log"), "-o", options, "start")
        start()
        yield PostgresServer(
            f"postgresql+asyncpg://animatrix:test-password@127.0.0.1:{port}/postgres",
            stop=partial(call, *control, "-m", "immediate", "stop"),
            start=start,
        )
    finally:
        if (data / "postmaster.pid").exists():
            call(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
