"""Servers that conformance tests talk to: the simulator always, a real one at COMFYUI_URL.

A real server is taken by one test at a time (a file lock), because the facts about its
queue hold only while nobody else uses it.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.media import Media, make_media
from tests.conformance.server import Server
from tests.support.comfyui import start_simulator

WHY_SKIPPED = "COMFYUI_URL is not set: no real ComfyUI to compare with"


@pytest.fixture(scope="session")
def simulator_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One simulator for all tests of this process."""
    with start_simulator(tmp_path_factory.mktemp("simulator"), step_s=0.02) as simulator:
        yield simulator.url


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """Small pictures, videos and sounds."""
    return make_media(tmp_path_factory.mktemp("media"))


@contextlib.contextmanager
def _alone(url: str) -> Iterator[None]:
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"animatrix-conformance-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(params=["simulator", "real"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A ComfyUI server with an empty queue; what a test leaves running is stopped."""
    kind: str = request.param
    if kind == "simulator":
        url = request.getfixturevalue("simulator_url")
    else:
        url = os.environ.get("COMFYUI_URL", "").rstrip("/")
        if not url:
            pytest.skip(WHY_SKIPPED)
    with _alone(url):
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            server = Server(kind, url, http)
            await server.quiet()
            yield server
            await server.quiet()
