"""One running system for all the flow tests of a worker, and media to send it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.media import Size, counter_video, photo, tone
from tests.support.otlp import OtlpReceiver, otlp_receiver
from tests.support.production import running_stack
from tests.support.system import System


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all: each would start a system of its own."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.xdist_group("flow"))


@pytest.fixture(scope="session")
def spans() -> Iterator[OtlpReceiver]:
    """Where the running system sends its spans."""
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, spans: OtlpReceiver) -> Iterator[System]:
    """A running system; tests that break parts start their own.

    With ANIMATRIX_TEST_STACK=production it stands on PostgreSQL, S3 and a cluster of nats-servers.
    """
    with running_stack(
        tmp_path_factory.mktemp("system"),
        COMFYUI_SIMULATOR_SPEED="0",
        ANIMATRIX_OTLP_ENDPOINT=spans.url,
    ) as running:
        yield running


@pytest_asyncio.fixture
async def http(system: System) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the system's API."""
    async with system.http() as client:
        yield client


@pytest.fixture(scope="session")
def hero(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A character image."""
    path = tmp_path_factory.mktemp("hero") / "hero.png"
    return photo(path, size=Size(320, 480), format="PNG")


@pytest.fixture(scope="session")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short motion video with sound."""
    return counter_video(tmp_path_factory.mktemp("motion") / "motion.mp4", frames=36, sound=True)


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short sound."""
    return tone(tmp_path_factory.mktemp("speech") / "speech.wav", duration_s=1.3)
