"""A simulator of its own for every test, and a server handle to talk to it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.media import Media, make_media
from tests.conformance.server import Server
from tests.support.comfyui import Simulator, start_simulator


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """A simulator whose sampling steps take 20 ms."""
    with start_simulator(tmp_path / "comfyui", step_s=0.02) as started:
        yield started


@pytest.fixture
async def server(simulator: Simulator) -> AsyncIterator[Server]:
    """How to talk to it."""
    async with httpx.AsyncClient(base_url=simulator.url, timeout=30) as http:
        yield Server("simulator", simulator.url, http)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """Small pictures, videos and sounds."""
    return make_media(tmp_path_factory.mktemp("media"))
