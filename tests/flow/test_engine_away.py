"""An engine that answers nothing: the API says so, the job waits, and runs once it is back."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually


async def test_a_job_waits_for_an_engine_that_is_away_and_the_api_says_so(
    system: System, http: httpx.AsyncClient, hero: Path, speech: Path
) -> None:
    body = {
        "prompt": "she waits",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "audio_asset_id": await upload(http, "audio", speech),
        "quality_profile": "draft",
    }
    orders = f"{system.comfyui_url}/simulator/faults"
    faults = [{"kind": "http", "path": "/", "status": 503}]
    (await http.put(orders, json={"faults": faults})).raise_for_status()
    try:

        async def told_away() -> bool:
            engines = (await http.get("/api/capabilities")).json()["engines"]
            return "unreachable" in [engine["health"] for engine in engines]

        await eventually(told_away)
        job_id = await submit(http, "audio-performance", body)

        async def stalled() -> bool:
            queue = (await http.get("/api/queue")).json()
            return bool(queue["state"] == "stalled" and queue["waiting"])

        await eventually(stalled)
        assert (await http.get(f"/api/jobs/{job_id}")).json()["status"] == "queued"
    finally:
        (await http.delete(orders)).raise_for_status()
    job = await ended(http, job_id)
    assert job["status"] == "completed"
    ran = [x for x in system.journal() if x.get("prompt_id") == job["comfy_prompt_id"]]
    assert [x["event"] for x in ran] == ["accepted", "started", "finished"]
