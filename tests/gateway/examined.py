"""A gateway with an executor that examines one engine again and again, and requests sent to it.

Owns the assets that `wrong_jobs` names, as ingest would find them. Asserts nothing of a refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from contracts.errors import ErrorCode, error_info
from contracts.events import AssetRejected
from contracts.media import AudioFacts, ImageFacts, VideoFacts
from runtime.process import Runtime
from runtime.settings import SharedSettings
from runtime.stamp import stamp
from runtime.tasks import end
from services.executor.app import build_with
from services.executor.settings import EngineSettings, Settings
from tests.gateway.test_submitting import MP4, PNG, WAV
from tests.support.gateway import IMAGE_FACTS, World
from tests.support.waiting import eventually


@asynccontextmanager
async def examined(
    world: World, folder: Path, url: str, *, every_s: float, within_s: float = 30.0
) -> AsyncIterator[None]:
    """The engine at `url` is examined every `every_s`, and was once."""
    stopping = asyncio.Event()
    shared = SharedSettings(state_dir=folder)
    runtime = Runtime("executor", shared, world.buses["executor"], world.media, stopping, "tests")
    settings = Settings(
        engines=(EngineSettings(engine_id="comfyui-0", url=url),),
        probe_interval_s=every_s,
        catalogue_interval_s=0.01,
    )
    async with build_with(runtime, settings) as app:
        tasks = [asyncio.ensure_future(background()) for background in app.background]
        try:
            await eventually(lambda: available(world, "animate"), within_s=within_s)
            yield
        finally:
            stopping.set()
            await asyncio.wait(tasks, timeout=20)
            await end(tasks)


async def capabilities(world: World) -> dict[str, Any]:
    """GET /api/capabilities."""
    found: dict[str, Any] = (await world.http.get("/api/capabilities")).json()
    return found


async def available(world: World, mode: str) -> bool:
    """Whether a ready engine is known and every submode of a mode can be had."""
    found = await capabilities(world)
    known = any(engine["health"] == "ready" for engine in found["engines"])
    return known and all(m["available"] for m in found["modes"] if m["mode"] == mode)


async def assets(world: World) -> dict[str, str]:
    """The assets that the requests name, uploaded; facts as ingest would find them."""

    async def ready(kind: str, name: str, facts: Any) -> str:
        data = {"image": PNG, "video": MP4, "audio": WAV}[kind] + name.encode()
        ending = {"image": "png", "video": "mp4", "audio": "wav"}[kind]
        return await world.ready_asset(kind, data, f"{name}.{ending}", facts)

    def image(width_px: int, height_px: int) -> ImageFacts:
        return ImageFacts(width_px=width_px, height_px=height_px, format="png")

    def video(duration_s: float) -> VideoFacts:
        return VideoFacts(
            width_px=640,
            height_px=480,
            fps_num=30,
            fps_den=1,
            frames=round(duration_s * 30),
            duration_s=duration_s,
            codec="h264",
            container="mp4",
            has_audio=False,
        )

    def audio(duration_s: float) -> AudioFacts:
        return AudioFacts(
            sample_rate_hz=44100,
            channels=1,
            duration_s=duration_s,
            codec="pcm_s16le",
            container="wav",
        )

    async def told(name: str) -> str:
        answer = await world.upload("image", PNG + name.encode(), f"{name}.png")
        return str(answer.json()["asset_id"])

    rejected = await told("rejected")
    error = error_info(ErrorCode.FILE_UNDECODABLE)
    await world.say(AssetRejected(**stamp(None), asset_id=rejected, error=error))
    return {
        "image": await ready("image", "image", IMAGE_FACTS),
        "tiny": await ready("image", "tiny", image(40, 40)),
        "strip": await ready("image", "strip", image(1000, 100)),
        "video": await ready("video", "video", video(3.0)),
        "glimpse": await ready("video", "glimpse", video(0.2)),
        "audio": await ready("audio", "audio", audio(2.0)),
        "blip": await ready("audio", "blip", audio(0.1)),
        "opera": await ready("audio", "opera", audio(9000.0)),
        "rejected": rejected,
        "checking": await told("checking"),
    }


def filled(value: Any, assets: dict[str, str]) -> Any:
    """A value with the ids of assets in place of their names."""
    if isinstance(value, list):
        return [filled(one, assets) for one in value]
    if isinstance(value, str) and value.startswith("{"):
        return assets[value.strip("{}")]
    return value


async def send(
    world: World, mode: str, body: dict[str, Any], assets: dict[str, str]
) -> httpx.Response:
    """Submits a request of `wrong_jobs`."""
    named = {name: filled(value, assets) for name, value in body.items()}
    return await world.http.post(f"/api/jobs/{mode}", json=named)


def missing(capabilities: dict[str, Any]) -> list[str]:
    """Everything that is said to be missing, for any mode and profile."""
    return [
        said
        for mode in capabilities["modes"]
        for submode in mode["submodes"]
        for profile in submode["profiles"]
        for said in profile["missing"]
    ]
