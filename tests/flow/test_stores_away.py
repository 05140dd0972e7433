"""PostgreSQL or S3 gone while jobs run: the API says so, the work waits, and every job completes
once. Only on the production stack: the embedded system has no store of another process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import httpx
import pytest

from tests.support.production import ProductionSystem
from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually

AWAY_S = 12.0
JOBS = 6


@pytest.mark.parametrize("gone", ["database", "media"])
async def test_work_waits_for_a_store_that_is_away_and_every_job_completes_once(
    system: System,
    http: httpx.AsyncClient,
    hero: Path,
    speech: Path,
    gone: Literal["database", "media"],
) -> None:
    if not isinstance(system, ProductionSystem):
        pytest.skip("ANIMATRIX_TEST_STACK is not production: there is no server to stop")
    store = getattr(system.stores, gone)
    body = {
        "prompt": "she waits",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "audio_asset_id": await upload(http, "audio", speech),
        "quality_profile": "draft",
    }
    speed = f"{system.comfyui_url}/simulator/speed"
    (await http.put(speed, json={"step_s": 0.3})).raise_for_status()
    try:
        jobs = [
            await submit(http, "audio-performance", {**body, "seed": 40_000 + n})
            for n in range(JOBS)
        ]

        async def under_way() -> bool:
            states = [(await http.get(f"/api/jobs/{job_id}")).json()["status"] for job_id in jobs]
            return "executing" in states

        await eventually(under_way)
        await asyncio.to_thread(store.stop)
        try:
            await eventually(lambda: _told_away(http, gone, hero))
            # The outage itself: nothing tells that all have noticed.
            await asyncio.sleep(AWAY_S)
        finally:
            await asyncio.to_thread(store.start)
        for job_id in jobs:
            job = await ended(http, job_id, within_s=120)
            assert job["status"] == "completed", job
            ran = [x for x in system.journal() if x.get("prompt_id") == job["comfy_prompt_id"]]
            assert [x["event"] for x in ran] == ["accepted", "started", "finished"]
    finally:
        (await http.put(speed, json={"step_s": 0.0})).raise_for_status()


async def _told_away(http: httpx.AsyncClient, gone: str, hero: Path) -> bool:
    """Whether a request that needs the store is answered with what is wrong and what to do."""
    if gone == "database":
        answer = await http.get("/api/jobs")
    else:
        # Other bytes than before: the same would need no store.
        picture = hero.read_bytes() + b"\0"
        answer = await http.post("/api/assets/image", files={"file": ("hero.png", picture)})
    if answer.status_code != 503:
        return False
    problem = answer.json()
    assert problem["code"] == "unavailable", problem
    assert problem["remedy"], problem
    return True
