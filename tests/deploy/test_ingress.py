"""The origin's nginx, for real: TLS and a bounded idle time before the gateway and the engine.

The minute of idle time is shortened to just above the gateway's heartbeat; the relation is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.deploy.conftest import IDLE_S, Origin
from tests.support.media import Size, counter_video, photo
from tests.support.system import ended, sse, submit, upload

SILENT_S = IDLE_S + 4
pytestmark = pytest.mark.xdist_group("deploy")


@pytest_asyncio.fixture
async def http(origin: Origin) -> AsyncIterator[httpx.AsyncClient]:
    async with origin.http() as client:
        yield client


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("media")
    hero = photo(folder / "hero.png", size=Size(320, 480), format="PNG")
    return hero, counter_video(folder / "motion.mp4", frames=20, sound=True)


async def started(http: httpx.AsyncClient, media: tuple[Path, Path]) -> str:
    hero, motion = media
    return await submit(
        http,
        "animate",
        {
            "prompt": "She waves",
            "ground_truth_asset_id": await upload(http, "image", hero),
            "motion_video_asset_id": await upload(http, "video", motion),
            "quality_profile": "draft",
        },
    )


async def test_a_silent_engine_and_an_idle_stream_outlast_the_idle_time(
    origin: Origin, http: httpx.AsyncClient, media: tuple[Path, Path]
) -> None:
    origin.silence(SILENT_S)
    job = await started(http, media)
    began_s, executing_s, names = time.monotonic(), 0.0, list[str]()
    async with asyncio.timeout(SILENT_S + 60):
        async for event in sse(http, f"/api/jobs/{job}/stream"):
            names.append(event["event"])
            if event["event"] == "executing" and not executing_s:
                executing_s = time.monotonic() - began_s
            if event["event"] in ("completed", "failed", "cancelled"):
                break
    assert names[-1] == "completed", names
    # Buffered, the start would have been told together with the end.
    assert time.monotonic() - began_s - executing_s > SILENT_S * 0.8
    assert (await ended(http, job))["status"] == "completed"


async def test_a_video_is_played_in_parts_through_the_front(
    http: httpx.AsyncClient, media: tuple[Path, Path]
) -> None:
    job = await started(http, media)
    assert (await ended(http, job))["status"] == "completed"
    url = (await http.get(f"/api/jobs/{job}/outputs")).json()["video_url"]
    whole = await http.get(url)
    part = await http.get(url, headers={"Range": "bytes=100-299"})
    assert part.status_code == 206
    assert part.content == whole.content[100:300]
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(whole.content)}"
    assert part.headers["Strict-Transport-Security"]


async def test_a_large_upload_passes_without_lying_on_the_fronts_disk(
    origin: Origin, http: httpx.AsyncClient
) -> None:
    sent = b"\x00" * (8 << 20)
    answer = await http.post("/api/assets/video", files={"file": ("zeros.mp4", sent)})
    assert answer.status_code == 415, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "buffered to a temporary file" not in origin.front.error_log.read_text()


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
async def test_what_is_for_operators_does_not_answer_outside(
    http: httpx.AsyncClient, path: str
) -> None:
    assert (await http.get(path)).status_code == 404


async def test_the_engine_is_not_behind_the_public_front(
    origin: Origin, http: httpx.AsyncClient
) -> None:
    async with httpx.AsyncClient(base_url=origin.engine.url, timeout=30) as engine:
        for path in ("/system_stats", "/prompt", "/object_info", "/queue"):
            own = set((await engine.get(path)).json())
            answer = await http.get(path)
            kind = answer.headers["Content-Type"]
            assert "json" not in kind or not own & set(answer.json()), path
