"""Fixtures of the bus: a real nats-server of its own per test, buses, a media store.

Must not fake anything of the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.subjects import Service
from runtime.bus import Bus
from runtime.media_store_local import LocalMediaStore
from runtime.nats_process import NatsProcess
from runtime.provision import provision

TEST_LANES = (
    "comfyui-animate-fp8",
    "comfyui-animate-bf16",
    "comfyui-s2v-fp8",
    "comfyui-s2v-bf16",
    "webui-stills",
    "webui-animatediff",
    "webui-deforum",
)

BusFactory = Callable[[Service], Awaitable[Bus]]


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsProcess]:
    """A running nats-server with its own store; kill() and start() restart it on that store."""
    server = NatsProcess(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


@pytest_asyncio.fixture
async def provisioned(nats_server: NatsProcess) -> NatsProcess:
    """The server with all streams, consumers and buckets."""
    await provision(nats_server.url, TEST_LANES)
    return nats_server


@pytest_asyncio.fixture
async def bus_factory(provisioned: NatsProcess) -> AsyncIterator[BusFactory]:
    """Makes connected buses: `bus = await bus_factory("executor")`. Closed after the test."""
    async with AsyncExitStack() as stack:

        async def make(service: Service) -> Bus:
            return await stack.enter_async_context(
                Bus(service, provisioned.url, on_closed=lambda: None)
            )

        yield make


@pytest.fixture
def media_store(tmp_path: Path) -> LocalMediaStore:
    """A media store in the test's own folder."""
    return LocalMediaStore(tmp_path / "media")
