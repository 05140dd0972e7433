"""Services are killed, and storage goes away, while jobs and chains of stages run: all complete."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.media import Size, watch
from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually

JOBS = 10


@contextmanager
def _storage_away(var: Path) -> Iterator[None]:
    """The media folder is gone and nobody gets into the database while the block runs."""
    media, gone = var / "media", var / "media-elsewhere"
    with closing(sqlite3.connect(var / "state" / "gateway.sqlite3", timeout=30)) as database:
        database.execute("BEGIN EXCLUSIVE")
        media.rename(gone)
        try:
            yield
        finally:
            assert not media.exists(), "somebody took a missing store for an empty one"
            gone.rename(media)
            database.rollback()


def _runs(system: System, name: str) -> bool:
    return system.pid_of(name) is not None


def _another_runs(system: System, name: str, pid: int) -> bool:
    return system.pid_of(name) not in (None, pid)


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("faults")
async def test_all_jobs_complete_though_every_service_is_killed_in_turn(
    shaken: System, hero: Path, motion: Path
) -> None:
    before = len(shaken.journal())
    async with shaken.http() as http:
        body = {
            "prompt": "she runs",
            "ground_truth_asset_id": await upload(http, "image", hero),
            "motion_video_asset_id": await upload(http, "video", motion),
            "animate_submode": "move",
            "quality_profile": "draft",
            "aspect_ratio": "1:1",
        }
        jobs = [
            await submit(http, "animate", {**body, "seed": n, "prompt": f"take {n}"})
            for n in range(JOBS)
        ]
        for name in ("ingest", "composer", "executor", "collector", "gateway"):
            await eventually(partial(_runs, shaken, name))
            pid = shaken.kill(name)
            await eventually(partial(_another_runs, shaken, name, pid))
            await asyncio.sleep(1.0)
        with _storage_away(shaken.var):
            await asyncio.sleep(3.0)
        results = [await ended(http, job_id, within_s=150) for job_id in jobs]
    assert [r["status"] for r in results] == ["completed"] * JOBS
    told = shaken.journal()[before:]
    ran = Counter(line["prompt_id"] for line in told if line["event"] == "started")
    assert ran == Counter(r["comfy_prompt_id"] for r in results)


def _webui_runs(system: System, event: str, kind: str) -> list[dict[str, Any]]:
    lines = [
        json.loads(line)
        for path in (system.var / "webui_simulator").rglob("journal*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return [run for run in lines if (run["event"], run.get("kind")) == (event, kind)]


async def _numbers(http: httpx.AsyncClient, job_id: str, folder: Path) -> list[int]:
    files = (await http.get(f"/api/jobs/{job_id}/outputs")).json()["files"]
    (url,) = [file["url"] for file in files if file["name"] == "video.mp4"]
    path = folder / f"{job_id}.mp4"
    path.write_bytes((await http.get(url)).content)
    return watch(path).counters(Size(384, 384))


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("faults")
@pytest.mark.parametrize(
    ("backend", "kind", "calls"), [("deforum", "deforum", 1), ("animatediff", "img2img", 2)]
)
async def test_a_chain_goes_on_where_it_was_when_its_services_are_killed(
    shaken: System, tmp_path: Path, backend: str, kind: str, calls: int
) -> None:
    """A Deforum batch is found again by its name and made once; the answer to a call of A1111 is
    lost with its asker, so that one is made again."""
    earlier = len(_webui_runs(shaken, "started", kind))
    async with shaken.http() as http:
        frames = {"kind": "video_frames", "backend": f"webui_{backend}", "num_frames": 12}
        stages = [{"kind": "txt2img"}, {**frames, "fps": 8}, {"kind": "video_render"}]
        body = {"prompt": "a lake", "stages": stages, "aspect_ratio": "1:1"}
        job_id = await submit(http, "motion-clip", {**body, "quality_profile": "draft"})
        await eventually(lambda: len(_webui_runs(shaken, "started", kind)) > earlier)
        for name in ("executor", "composer", "collector"):
            await eventually(partial(_runs, shaken, name))
            shaken.kill(name)
        job = await ended(http, job_id, within_s=120)
        assert job["status"] == "completed", job["error"]
        assert await _numbers(http, job_id, tmp_path) == list(range(12))
    assert len(_webui_runs(shaken, "started", kind)) == earlier + calls
