"""Brings both parts of the database to the present schema at start, under a lock.

`app` is migrated by Alembic and never dropped. `read_model` is dropped and made anew whenever its
fingerprint is not that of this version; the projector then fills it from the streams.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database

log = structlog.get_logger()

VERSION_TABLE = "app_version"
PROJECTION_VERSION = 1
"""Raise it when the same events are to make other rows; every read model is then rebuilt."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x616E696D


def alembic_config(connection: Connection) -> Config:
    """Alembic on an open connection, inside its transaction."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


def fingerprint() -> str:
    """Names the present form of the read model: its tables and what the projection makes of them.

    Sixteen hex digits that change with any table, column or index, and with PROJECTION_VERSION.
    """
    statements = [f"projection {PROJECTION_VERSION}"]
    for table in tables.read_model.sorted_tables:
        statements.append(str(CreateTable(table)))
        statements.extend(sorted(str(CreateIndex(index)) for index in table.indexes))
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]


async def migrate(database: Database) -> bool:
    """Bring the schema up to date; returns True when the read model was made anew (is empty).

    Safe to run from several processes at once: one migrates, the others wait and find it done.
    """
    async with database.writer.begin() as connection:
        return await connection.run_sync(_migrate)


def _migrate(connection: Connection) -> bool:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    command.upgrade(alembic_config(connection), "head")
    if _is_current(connection):
        return False
    _drop(connection)
    tables.read_model.create_all(connection)
    connection.execute(tables.schema.insert().values(fingerprint=fingerprint()))
    log.info("read model made anew; it fills from the streams")
    return True


def _is_current(connection: Connection) -> bool:
    present = set(sa.inspect(connection).get_table_names())
    if not set(tables.read_model.tables) <= present:
        return False
    return connection.execute(sa.select(tables.schema.c.fingerprint)).scalar() == fingerprint()


def _drop(connection: Connection) -> None:
    # Tables of other versions may be there too: whatever has the prefix is derived.
    for name in sa.inspect(connection).get_table_names():
        if name.startswith("read_"):
            sa.Table(name, sa.MetaData()).drop(connection)


async def drop_read_model(database: Database) -> None:
    """Drop everything that can be derived; the next start makes and fills it anew."""
    async with database.writer.begin() as connection:
        await connection.run_sync(_drop)


async def empty_read_model(database: Database) -> None:
    """Delete every derived row, for a stream that is not the one these rows came from."""
    async with database.writer.begin() as connection:
        for table in tables.read_model.sorted_tables:
            if table is not tables.schema:
                await connection.execute(table.delete())
