"""The whole system on a real ComfyUI at COMFYUI_URL: every mode completes, and survives a kill.

Sizes are tiny, so that an engine with tiny weights on a CPU can follow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.media import Size, counter_video, photo, tone
from tests.support.system import System, ended, running_system, submit, upload
from tests.support.waiting import eventually

COMFYUI_URL = os.environ.get("COMFYUI_URL")
pytestmark = [
    pytest.mark.skipif(not COMFYUI_URL, reason="no real ComfyUI: COMFYUI_URL is not set"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("real-engine"),
]
SIZE = "96x96"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system in front of the real engine."""
    with running_system(
        tmp_path_factory.mktemp("real") / "var",
        COMFYUI_URL=str(COMFYUI_URL),
        ANIMATRIX_GATEWAY_SIZE_OVERRIDE=SIZE,
    ) as running:
        yield running


async def _body(http: httpx.AsyncClient, folder: Path, mode: str) -> dict[str, Any]:
    image = photo(folder / "hero.png", size=Size(120, 160), format="PNG")
    body: dict[str, Any] = {
        "prompt": f"a figure in the rain, {folder.name}",
        "ground_truth_asset_id": await upload(http, "image", image),
        "aspect_ratio": "1:1",
    }
    if mode == "audio-performance":
        sound = tone(folder / "voice.wav", duration_s=1.2)
        return {**body, "audio_asset_id": await upload(http, "audio", sound)}
    video = counter_video(folder / "drive.mp4", frames=40, sound=True)
    return {**body, "motion_video_asset_id": await upload(http, "video", video)}


@pytest.mark.parametrize("profile", ["draft", "standard"])
@pytest.mark.parametrize("mode", ["move", "mix", "audio-performance"])
async def test_a_mode_completes_on_the_real_engine(
    system: System, tmp_path: Path, mode: str, profile: str, record_property: Any
) -> None:
    async with system.http() as http:
        route = "audio-performance" if mode == "audio-performance" else "animate"
        body = {**await _body(http, tmp_path, mode), "quality_profile": profile}
        if route == "animate":
            body["animate_submode"] = mode
        job_id = await submit(http, route, body)
        job = await ended(http, job_id, within_s=300)
        assert job["status"] == "completed", job
        assert job["simulated"] is False
        outputs = (await http.get(f"/api/jobs/{job_id}/outputs")).json()
        assert outputs["resolution"] == SIZE
        assert outputs["has_audio"]
        events = (await http.get(f"/api/jobs/{job_id}/events")).json()["events"]
        result = next(e for e in events if e["event"] == "step_finished")["data"]["result"]
        record_property("frames", outputs["frames"])
        record_property("ran_s", result["ran_s"])


async def test_a_killed_executor_comes_back_to_its_running_prompt(
    system: System, tmp_path: Path
) -> None:
    async with system.http() as http:
        body = {**await _body(http, tmp_path, "move"), "quality_profile": "standard"}
        job_id = await submit(http, "animate", {**body, "animate_submode": "move"})

        async def executing() -> bool:
            return bool((await http.get(f"/api/jobs/{job_id}")).json()["status"] == "executing")

        await eventually(executing, within_s=120)
        system.kill("executor")
        job = await ended(http, job_id, within_s=300)
        assert job["status"] == "completed", job
        assert job["attempt"] == 1
        async with httpx.AsyncClient(base_url=str(COMFYUI_URL)) as engine:
            history = (await engine.get(f"/history/{job['comfy_prompt_id']}")).json()
        assert history[job["comfy_prompt_id"]]["status"]["status_str"] == "success"


async def test_a_running_job_shows_the_pictures_that_the_real_engine_sends(
    system: System, tmp_path: Path
) -> None:
    async with httpx.AsyncClient(base_url=str(COMFYUI_URL)) as engine:
        argv = (await engine.get("/system_stats")).json()["system"]["argv"]
    if "--preview-method" not in argv:
        pytest.skip("this server sends no pictures of its work: start it with --preview-method")
    shown: dict[str, bytes] = {}
    async with system.http() as http:
        body = {**await _body(http, tmp_path, "move"), "quality_profile": "standard"}
        job_id = await submit(http, "animate", {**body, "animate_submode": "move"})

        async def over() -> bool:
            job = (await http.get(f"/api/jobs/{job_id}")).json()
            url = (job["progress"] or {}).get("live_preview_url")
            if url and url not in shown:
                answer = await http.get(url)
                if answer.is_success:
                    shown[url] = answer.content
            return job["status"] in ("completed", "failed")

        await eventually(over, within_s=300)
        assert (await http.get(f"/api/jobs/{job_id}/live-preview")).status_code == 404
    assert shown
    for jpeg in shown.values():
        with Image.open(BytesIO(jpeg)) as picture:
            assert picture.format == "JPEG"
