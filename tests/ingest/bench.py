"""The whole ingest service on a real bus, with uploads and jobs to send it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from contracts import keys
from contracts.base import sha256_hex
from contracts.events import AssetReady, AssetRejected, AssetUploaded, JobSubmitted
from contracts.media import MediaKind, MediaOrder, Role
from contracts.subjects import CONSUMERS
from runtime.bus import Bus
from runtime.ids import new_id
from runtime.media_store_local import LocalMediaStore
from runtime.process import Runtime
from runtime.settings import SharedSettings
from runtime.stamp import stamp
from runtime.work import work
from services.ingest.app import build
from services.ingest.verification import Recipe
from tests.support.bus import BusFactory
from tests.support.examples import job_plan
from tests.support.waiting import eventually

T = TypeVar("T")
Maybe = Callable[[], T | Awaitable[T]]
"""A condition as `eventually` takes it."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A running ingest and its neighbour the gateway."""

    gateway: Bus
    ingest: Bus
    media: LocalMediaStore
    work_dir: Path

    async def upload(self, path: Path, kind: MediaKind) -> AssetUploaded:
        """Store a file and tell of it, as the gateway does."""
        sha256 = sha256_hex(path.read_bytes())
        extension = path.suffix.lstrip(".")
        stored = await self.media.put_file(keys.asset_original(sha256, extension), path)
        event = AssetUploaded(
            **stamp(None),
            asset_id=new_id(),
            owner="local",
            kind=kind,
            mime_type="application/octet-stream",
            filename=path.name,
            file=stored,
        )
        await self.gateway.publish(event)
        return event

    async def examined(self, upload: AssetUploaded) -> AssetReady | AssetRejected:
        """What ingest says of the upload."""

        async def said() -> AssetReady | AssetRejected | None:
            for event in (await self.gateway.asset(upload.asset_id)).events:
                if isinstance(event, (AssetReady, AssetRejected)):
                    return event
            return None

        found: AssetReady | AssetRejected = await eventually(said)
        return found

    async def ready(self, path: Path, kind: MediaKind) -> AssetUploaded:
        """An upload that ingest found usable."""
        upload = await self.upload(path, kind)
        assert isinstance(await self.examined(upload), AssetReady)
        return upload

    async def submit(self, *media: MediaOrder) -> JobSubmitted:
        """A job whose plan orders these media."""
        event = job(*media)
        await self.gateway.publish(event)
        return event

    async def reaches(self, job_id: str, *states: str) -> str:
        """The first of these states that the job reaches."""

        async def state() -> str | None:
            now = (await self.gateway.job(job_id)).state.state
            return now if now in states else None

        condition: Maybe[str | None] = state
        reached = await eventually(condition, within_s=30)
        return str(reached)

    async def idle(self) -> None:
        """Nothing waits or is in hand."""

        async def quiet() -> bool:
            lags = [await self.ingest.consumer_lag(c) for c in CONSUMERS if c.service == "ingest"]
            return all(lag.pending == lag.ack_pending == 0 for lag in lags)

        condition: Maybe[bool] = quiet
        await eventually(condition)


def job(*media: MediaOrder) -> JobSubmitted:
    """A submitted job that orders these media."""
    plan = job_plan().model_copy(update={"media": media})
    return JobSubmitted(**stamp(None), job_id=new_id(), owner="local", plan=plan)


def order(upload: AssetUploaded, role: Role, recipe: Recipe) -> MediaOrder:
    """An order for a derivative of an upload."""
    return MediaOrder(
        role=role, asset_id=upload.asset_id, asset_sha256=upload.file.sha256, recipe=recipe
    )


@asynccontextmanager
async def running(
    bus_factory: BusFactory, media: LocalMediaStore, folder: Path
) -> AsyncIterator[Bench]:
    """Ingest as it is wired in its process, until the block ends."""
    gateway, ingest = await bus_factory("gateway"), await bus_factory("ingest")
    shared = SharedSettings(state_dir=folder, instance="ingest-1")
    stopping = asyncio.Event()
    runtime = Runtime("ingest", shared, ingest, media, stopping, shared.instance)
    async with build(runtime) as app:
        tasks = [asyncio.create_task(work(ingest, s, stopping)) for s in app.subscriptions]
        try:
            yield Bench(gateway, ingest, media, folder / "ingest" / "ingest-1")
        finally:
            stopping.set()
            await asyncio.gather(*tasks)
