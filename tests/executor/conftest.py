"""The fixtures of the executor's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.media_store_local import LocalMediaStore
from runtime.nats_process import NatsProcess
from tests.executor.scene import Scene, SimulatedComfy, open_buses
from tests.executor.webui_scene import WebuiScene
from tests.support.bus import BusFactory
from tests.support.webui import WebUISimulator, start_webui


@pytest.fixture
def comfy(tmp_path: Path) -> Iterator[SimulatedComfy]:
    """A running simulator that wastes no time between sampling steps."""
    simulator = SimulatedComfy(tmp_path / "comfy")
    simulator.start()
    yield simulator
    simulator.kill()


@pytest_asyncio.fixture
async def scene(
    provisioned: NatsProcess,
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    comfy: SimulatedComfy,
) -> Scene:
    """Everything a job needs but the executor."""
    return Scene(provisioned.url, await open_buses(bus_factory), media_store, comfy)


@pytest.fixture
def webui(tmp_path: Path) -> Iterator[WebUISimulator]:
    """A running simulated WebUI with both extensions, which wastes no time."""
    with start_webui(tmp_path / "webui") as running:
        yield running


@pytest_asyncio.fixture
async def studio(
    provisioned: NatsProcess,
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    webui: WebUISimulator,
) -> WebuiScene:
    """Everything a job on WebUI needs but the executor."""
    return WebuiScene(provisioned.url, await open_buses(bus_factory), media_store, webui)
