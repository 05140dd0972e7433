"""Fixtures of the gateway's tests."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.media_store_local import LocalMediaStore
from runtime.nats_process import NatsProcess
from services.gateway.adapters.db.engine import THREAD_NAME
from tests.gateway.harness import World, running
from tests.support.bus import BusFactory
from tests.support.ports import free_port


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATRIX_GATEWAY_PORT", str(free_port()))
    monkeypatch.setenv("ANIMATRIX_GATEWAY_MAX_IMAGE_MB", "1")
    monkeypatch.setenv("ANIMATRIX_GATEWAY_MIN_FREE_MB", "0")
    monkeypatch.setenv("ANIMATRIX_GATEWAY_WAIT_FOR_ASSET_S", "2")
    monkeypatch.setenv("ANIMATRIX_GATEWAY_WEBHOOK_BACKOFF_S", "0.2")
    monkeypatch.setenv("ANIMATRIX_GATEWAY_WEBHOOK_TIMEOUT_S", "2")


def _asking() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == THREAD_NAME}


@pytest.fixture(autouse=True)
def _no_database_is_left_open() -> Iterator[None]:
    """What is left of one answers in the middle of another test, which is blamed for it."""
    before = _asking()
    yield
    assert _asking() <= before


@pytest_asyncio.fixture
async def world(
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    tmp_path: Path,
    nats_server: NatsProcess,
) -> AsyncIterator[World]:
    """A running gateway."""
    async with running(bus_factory, media_store, tmp_path / "state", nats_server.url) as made:
        yield made
