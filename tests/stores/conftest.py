"""Fixtures of the stores: real servers, one per worker and kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.media_store import MediaStore, open_media_store
from runtime.media_store_local import LocalMediaStore
from runtime.media_store_s3 import S3MediaStore
from tests.stores.postgres_server import PostgresServer, running_postgres
from tests.stores.s3_server import S3Server, running_s3


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running S3 server; every test takes a bucket of its own on it."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest_asyncio.fixture
async def s3_store(s3_server: S3Server, tmp_path: Path) -> S3MediaStore:
    """A store in a fresh bucket, opened as a service opens it."""
    store = open_media_store(s3_server.settings(tmp_path))
    assert isinstance(store, S3MediaStore)
    await store.prepare()
    return store


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    """Each kind of media store in turn."""
    if request.param == "folder":
        return LocalMediaStore(tmp_path / "media")
    found: MediaStore = request.getfixturevalue("s3_store")
    return found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL; every test takes a database of its own on it."""
    with running_postgres() as server:
        yield server
