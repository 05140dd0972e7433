"""Gateways as their process runs them, in the test's own event loop, and the other services' parts.

The other services are played by publishing their events on the real bus. Fixtures: `gateway` starts
one, `world` is one that runs, `guarded` one that wants credentials, and `gateway_settings` says
what all of a module's gateways are told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
import pytest_asyncio

from contracts.base import StoredFile, canonical_bytes
from contracts.engines import EngineSnapshot
from contracts.events import AssetReady, Event, JobOutputs
from contracts.media import ImageFacts, MediaFacts
from contracts.plan import PictureIndex
from contracts.subjects import PUBLISHES, Service
from runtime.bus import Bus
from runtime.engine_board import EngineBoard
from runtime.ids import new_id
from runtime.media_store_local import LocalMediaStore
from runtime.nats_process import NatsProcess
from runtime.process import Background, Runtime
from runtime.settings import SharedSettings
from runtime.stamp import now, stamp
from runtime.tasks import end
from services.gateway.app import build_with
from services.gateway.settings import Settings
from tests.support import examples
from tests.support.bus import BusFactory
from tests.support.ports import free_port
from tests.support.waiting import eventually

QUICK: dict[str, Any] = {
    "max_image_mb": 1,
    "min_free_mb": 0,
    "wait_for_asset_s": 2,
    "webhook_backoff_s": 0.2,
    "webhook_timeout_s": 2,
}
"""Settings of every gateway here: small limits and short waits."""
TOKEN = "a-long-enough-token"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
"""What whoever runs a guarded gateway sends."""
IMAGE_FACTS = ImageFacts(width_px=768, height_px=1024, format="png")


@dataclass(slots=True)
class World:
    """A running gateway with what a test needs around it."""

    http: httpx.AsyncClient
    media: LocalMediaStore
    buses: dict[Service, Bus]
    state_dir: Path
    stopping: asyncio.Event
    port: int

    async def say(self, *events: Event) -> None:
        """Publish events, each by a service that may."""
        order: tuple[Service, ...] = ("executor", "ingest", "composer", "collector", "gateway")
        for event in events:
            name = event.event
            service = next(s for s in order if name in PUBLISHES[s])
            await self.buses[service].publish(event)

    async def upload(self, kind: str, data: bytes, filename: str, **options: Any) -> httpx.Response:
        """Upload bytes under a name."""
        files = {"file": (filename, data, "application/octet-stream")}
        return await self.http.post(f"/api/assets/{kind}", files=files, **options)

    async def ready_asset(self, kind: str, data: bytes, filename: str, facts: MediaFacts) -> str:
        """Upload, and let ingest find the file good."""
        answer = await self.upload(kind, data, filename)
        assert answer.status_code == 201, answer.text
        asset_id = str(answer.json()["asset_id"])
        thumbnail = await self.media.put_bytes(
            f"assets/{answer.json()['sha256']}/thumbnail.jpg", b"\xff\xd8\xff thumbnail"
        )
        await self.say(
            AssetReady(**stamp(None), asset_id=asset_id, facts=facts, thumbnail=thumbnail)
        )
        return asset_id

    async def job(self, job_id: str) -> dict[str, Any]:
        """GET of a job."""
        answer = await self.http.get(f"/api/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def reaches(self, job_id: str, status: str) -> dict[str, Any]:
        """Wait until the read model says that a job is in a state."""

        async def there() -> dict[str, Any] | None:
            job = await self.job(job_id)
            return job if job["status"] == status else None

        found: dict[str, Any] = await eventually(there)
        return found

    async def completed_job(
        self, video: bytes = b"0123456789" * 1000, name: str = "video.mp4", frames: int = 0
    ) -> str:
        """A job that went all the way, with its files in the store."""
        job_id = new_id()
        events = whole_job(job_id)
        events[-1] = events[-1].model_copy(
            update={
                "outputs": await self.deliver(job_id, video, name, frames),
                "event_id": new_id(),
            }
        )
        await self.say(*events)
        await self.reaches(job_id, "completed")
        return job_id

    async def deliver(
        self, job_id: str, video: bytes, name: str = "video.mp4", frames: int = 0
    ) -> JobOutputs:
        """Put a job's delivered files into the store, with so many kept frames."""

        async def put(name: str, data: bytes) -> StoredFile:
            return await self.media.put_bytes(f"jobs/{job_id}/outputs/{name}", data)

        index = None
        if frames:
            pictures = [await put(f"frames/picture-{n:06}.png", b"%d" % n) for n in range(frames)]
            told = PictureIndex(pictures=tuple(pictures), width_px=96, height_px=64)
            index = await put("frames/pictures.json", canonical_bytes(told))
        frame = examples.job_outputs().frame
        return JobOutputs(
            frames=index,
            video=await put(name, video),
            poster=await put("poster.jpg", b"\xff\xd8\xff poster"),
            first_frame=await put("first_frame.jpg", b"\xff\xd8\xff first"),
            preview=await put("preview.webp", b"RIFF preview"),
            manifest=await put("job_manifest.json", b"{}"),
            debug_metadata=await put("debug_metadata.json", b"{}"),
            frame=frame,
            duration_s=frame.duration_s,
            has_audio=True,
        )


def whole_job(job_id: str) -> list[Any]:
    """The events of a job from submit to completion, with ids of their own."""
    return [
        event.model_copy(update={"event_id": new_id(), "occurred_at": now()})
        for event in examples.whole_job(job_id)
    ]


def simulated_engine() -> EngineSnapshot:
    """An engine that nobody examined yet, so that nothing is refused for its sake."""
    return EngineSnapshot(
        engine_id="comfyui-0",
        kind="comfyui",
        simulated=True,
        version="0.3.64",
        health="ready",
        seen_at=now(),
    )


class StartGateway(Protocol):
    """Starts a gateway, which runs as long as the block: `async with gateway() as world`."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[World]:
        """With settings by their names, such as `max_active_jobs=1`. Raises what its start does."""


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    """What all gateways of a module are told besides QUICK: a fixture of this name says so."""
    return {}


@pytest.fixture
def gateway(
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    tmp_path: Path,
    nats_server: NatsProcess,
    gateway_settings: dict[str, Any],
) -> StartGateway:
    """Starts gateways of one system: bus, media and state folder are the test's own.

    One after the other they are a gateway and its restart, at the same time replicas. Each has a
    port of its own.
    """

    def start(**settings: Any) -> AbstractAsyncContextManager[World]:
        told = Settings(port=free_port(), **{**QUICK, **gateway_settings, **settings})
        return _running(bus_factory, media_store, tmp_path / "state", nats_server.url, told)

    return start


@pytest_asyncio.fixture
async def world(gateway: StartGateway) -> AsyncIterator[World]:
    """A running gateway."""
    async with gateway() as made:
        yield made


@pytest_asyncio.fixture
async def guarded(gateway: StartGateway) -> AsyncIterator[World]:
    """A running gateway that lets nobody in without credentials; TOKEN is its operator's."""
    async with gateway(api_token=TOKEN) as made:
        yield made


@asynccontextmanager
async def _running(
    bus_factory: BusFactory,
    media: LocalMediaStore,
    state_dir: Path,
    nats_url: str,
    settings: Settings,
) -> AsyncIterator[World]:
    services: tuple[Service, ...] = ("gateway", "ingest", "composer", "executor", "collector")
    buses = {service: await bus_factory(service) for service in services}
    stopping, port = asyncio.Event(), settings.port
    shared = SharedSettings(nats_url=nats_url, state_dir=state_dir, instance=f"test-{port}")
    runtime = Runtime("gateway", shared, buses["gateway"], media, stopping, shared.instance)
    async with build_with(runtime, settings) as app:
        tasks = [asyncio.create_task(_run(background)) for background in app.background]
        base = f"http://127.0.0.1:{port}"
        try:
            async with httpx.AsyncClient(base_url=base, timeout=20) as http:
                world = World(http, media, buses, state_dir, stopping, port)
                await eventually(lambda: _answers(http, tasks))
                yield world
        finally:
            stopping.set()
            _, late = await asyncio.wait(tasks, timeout=10)
            await end(tasks)
            assert not late, late
            assert not [task for task in tasks if task.exception()], tasks


async def _run(background: Background) -> None:
    await background()


async def _answers(http: httpx.AsyncClient, tasks: list[asyncio.Task[None]]) -> bool:
    for task in tasks:
        if task.done():
            task.result()
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.ConnectError:
        return False


async def board_with_engine(world: World) -> None:
    """Put a simulated engine on the board, and wait until the gateway has looked again."""
    await EngineBoard(world.buses["executor"]).put(simulated_engine())

    async def known() -> bool:
        return bool((await world.http.get("/api/capabilities")).json()["engines"])

    await eventually(known)


async def sse(response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    """The events of a stream: name, id (or None) and parsed data. Comments are left out."""
    event: dict[str, Any] = {}
    async for line in response.aiter_lines():
        if not line:
            if event:
                yield {"id": event.get("id"), "event": event["event"], "data": event["data"]}
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = json.loads(value) if name == "data" else value.strip()
