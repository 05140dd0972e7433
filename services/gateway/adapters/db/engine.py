"""Opens the database: one engine that reads and one that writes, on SQLite or PostgreSQL.

On SQLite the writer takes the write lock when a transaction begins, so that no transaction fails
halfway because another one wrote first. Must not know a table.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from weakref import WeakSet

import aiosqlite
from pydantic_core import from_json
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_TIMEOUT_MS = 10_000
THREAD_NAME = "sqlite"
"""Of every thread in which a connection asks SQLite."""
_ONE_STATEMENT = "one_statement"
_STARTING_UP = frozenset({"57P01", "57P02", "57P03", "08001", "08003", "08004", "08006"})
"""PostgreSQL's states of shutting down, starting up and lost connections."""


@dataclass(frozen=True, slots=True)
class Database:
    """Engines on one database; on SQLite the writer has exactly one connection.

    `asker` shares the reader's connections, for one statement at a time: without a transaction
    around it, which would cost two more round trips. `files` are SQLite's connections.
    """

    reader: AsyncEngine
    writer: AsyncEngine
    asker: AsyncEngine
    files: _FileConnections | None = None

    async def close(self) -> None:
        """Close all connections. Nothing of them is left that could answer a closed event loop."""
        await self.reader.dispose()
        if self.writer is not self.reader:
            await self.writer.dispose()
        if self.files is not None:
            await self.files.end()


AWAY_TYPES = (DBAPIError, PoolTimeout, OSError)
"""What `is_away` has to be asked about."""


def is_away(trouble: BaseException) -> bool:
    """Whether an error says that the database cannot be reached now, so that it may come back."""
    if isinstance(trouble, DBAPIError):
        return isinstance(trouble, (OperationalError, InterfaceError)) or (
            trouble.connection_invalidated
        )
    return isinstance(trouble, (OSError, TimeoutError, PoolTimeout))


def open_database(url: str) -> Database:
    """Open (lazily) the database at a URL; the SQLite folder is made.

    `postgresql://…` and `postgres://…`, as providers print them, get our driver.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+asyncpg")
    if parsed.get_backend_name() != "sqlite":
        engine = create_async_engine(
            parsed, pool_pre_ping=True, pool_size=10, json_deserializer=from_json
        )
        _tell_outages_alike(engine)
        asker = engine.execution_options(isolation_level="AUTOCOMMIT")
        return Database(reader=engine, writer=engine, asker=asker)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    files = _FileConnections()
    given: dict[str, Any] = {
        "json_deserializer": from_json,
        "connect_args": {"async_creator_fn": files.make},
    }
    reader = create_async_engine(parsed, pool_size=5, **given)
    writer = create_async_engine(parsed, pool_size=1, max_overflow=0, **given)
    _prepare_sqlite(reader, "BEGIN")
    _prepare_sqlite(writer, "BEGIN IMMEDIATE")
    return Database(
        reader=reader,
        writer=writer,
        asker=reader.execution_options(**{_ONE_STATEMENT: True}),
        files=files,
    )


def _tell_outages_alike(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "do_connect")
    def on_connecting(dialect: Any, _record: Any, args: Any, options: Any) -> Any:
        # The driver's own errors come through unwrapped while a connection is made.
        try:
            return dialect.connect(*args, **options)
        except Exception as refused:
            if getattr(refused, "sqlstate", None) in _STARTING_UP:
                raise ConnectionRefusedError(str(refused)) from refused
            raise


class _StoppedOnce(aiosqlite.Connection):
    """A connection whose second stop waits for nothing.

    A task that is cancelled twice while it asks has its connection closed, and stopped at the same
    time: the close then asks the thread, which is gone, to stop, and waits for an answer. The task
    that does so is nobody's, and the process could not end its event loop.
    """

    def __init__(self, database: str, **options: Any) -> None:
        super().__init__(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
        self._thread.daemon = True
        self._thread.name = THREAD_NAME
        self._stopped = False

    @property
    def thread(self) -> Thread:
        """Where it asks: SQLite knows no other way than to wait."""
        return self._thread

    def stop(self) -> asyncio.Future[Any] | None:
        """Have the thread end; the future is done once it has."""
        if self._stopped:
            return None
        self._stopped = True
        return super().stop()

    def abandon(self) -> None:
        """Stop, and break off what is being asked: nobody waits for an answer."""
        self.stop()
        if self._connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it was closed just now
                self._connection.interrupt()


class _FileConnections:
    """The connections to one SQLite file.

    A pool forgets a connection whose task was cancelled twice, and one that a task still holds: its
    thread would answer an event loop that may be closed by then.
    """

    def __init__(self) -> None:
        self._made: WeakSet[_StoppedOnce] = WeakSet()
        self._threads: WeakSet[Thread] = WeakSet()

    def make(self, database: str, **options: Any) -> _StoppedOnce:
        """A connection, not yet opened."""
        made = _StoppedOnce(database, **options)
        self._made.add(made)
        self._threads.add(made.thread)
        return made

    async def end(self) -> None:
        """Abandon what is still open, and wait until every thread has ended."""
        for connection in list(self._made):
            connection.abandon()
        await asyncio.to_thread(_join, [thread for thread in self._threads if thread.is_alive()])


def _join(threads: Iterable[Thread]) -> None:
    for thread in threads:
        thread.join()


def _prepare_sqlite(engine: AsyncEngine, begin: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver's own implicit transactions start too late for DDL and for the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_ONE_STATEMENT):
            connection.exec_driver_sql(begin)
