"""The stage chains through the whole system: frames counted, refusals, extensions switched."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from tests.support.media import Size, counter_picture, counter_video, tone, watch
from tests.support.production import running_stack
from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually
from tests.support.webui import counter

STILL: dict[str, Any] = {"kind": "txt2img"}
SQUARE = Size(384, 384)
"""What the draft profile draws at 1:1."""
CLOSED_PORT_URL = "http://127.0.0.1:9"
SEEN_WITHIN_S = 30.0


def _render(container: str = "mp4", **more: Any) -> dict[str, Any]:
    return {"kind": "video_render", "container": container, **more}


def _frames(backend: str, count: int) -> dict[str, Any]:
    return {"kind": "video_frames", "backend": backend, "num_frames": count, "fps": 8}


@pytest_asyncio.fixture(autouse=True)
async def _webui_is_seen(http: httpx.AsyncClient) -> None:
    """The WebUI starts beside everything else, and has to be looked at once."""

    async def seen() -> bool:
        told = (await http.get("/api/capabilities")).json()["motion_clip"]
        return bool(told["checkpoints"])

    await eventually(seen, within_s=SEEN_WITHIN_S)


async def _completed(
    http: httpx.AsyncClient, body: dict[str, Any], mode: str = "motion-clip"
) -> dict[str, Any]:
    """The outputs of a job that must complete."""
    asked = {"quality_profile": "draft", "aspect_ratio": "1:1", **body}
    job = await ended(http, await submit(http, mode, asked))
    assert job["status"] == "completed", json.dumps(job["error"])
    outputs = (await http.get(f"/api/jobs/{job['job_id']}/outputs")).json()
    return {**outputs, "job": job, "urls": {f["name"]: f["url"] for f in outputs["files"]}}


async def _counters(
    http: httpx.AsyncClient, outputs: dict[str, Any], folder: Path, source: Size = SQUARE
) -> list[int]:
    """The number on every frame of the delivered video, in order."""
    path = folder / outputs["job"]["settings_json"]["delivered_file"]
    path.write_bytes((await http.get(outputs["urls"][path.name])).content)
    return watch(path).counters(source)


async def _document(http: httpx.AsyncClient, outputs: dict[str, Any], name: str) -> Any:
    return (await http.get(outputs["urls"][name])).json()


async def test_chain_a_made_stills_are_enlarged_and_shown_in_their_order(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    stages = [
        {**STILL, "count": 3},
        {"kind": "upscale", "factor": 1.5},
        _render("webm", fps=8, seconds_per_still=0.25),
    ]
    outputs = await _completed(http, {"prompt": "a lake", "stages": stages})
    assert (outputs["width"], outputs["height"], outputs["fps"]) == (576, 576, 8)
    assert await _counters(http, outputs, tmp_path, Size(576, 576)) == [0, 0, 1, 1, 2, 2]
    assert outputs["simulated"] is True


@pytest.mark.parametrize(
    ("backend", "container"), [("webui_animatediff", "mp4"), ("webui_deforum", "gif")]
)
async def test_chains_b_and_c_deliver_every_frame_once_and_in_order(
    http: httpx.AsyncClient, tmp_path: Path, backend: str, container: str
) -> None:
    stages = [STILL, _frames(backend, 18), _render(container, keep_frames=True, output_name="lake")]
    outputs = await _completed(http, {"prompt": "a lake", "stages": stages, "seed": 11})
    assert f"lake.{container}" in outputs["urls"]
    assert await _counters(http, outputs, tmp_path) == list(range(18))

    kept = (await _document(http, outputs, "pictures.json"))["pictures"]
    names = [Path(picture["key"]).name for picture in kept]
    assert names == [f"picture-{number:06}.png" for number in range(18)]
    files = f"/api/jobs/{outputs['job_id']}/files"
    shown = [counter((await http.get(f"{files}/{name}")).content) for name in names]
    assert shown == list(range(18))

    manifest = await _document(http, outputs, "job_manifest.json")
    assert [stage["seed"] for stage in manifest["stages"][:2]] == [11, 11]
    assert manifest["origins"]["stages.1.num_frames"] == "request"
    assert manifest["origins"]["stages.1.strength"] == "default"
    assert [step["engine_kind"] for step in manifest["steps"]] == ["webui", "webui"]


async def test_a_packs_own_chain_runs_with_what_the_request_overrides(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    body = {"prompt_pack": "lake_dawn", "render": {"seconds_per_still": 0.5, "fps": 8}}
    outputs = await _completed(http, body)
    assert await _counters(http, outputs, tmp_path) == [0] * 4
    manifest = await _document(http, outputs, "job_manifest.json")
    assert manifest["prompt_pack"]["name"] == "lake_dawn"
    told = {at: manifest["origins"][f"stages.1.{at}"] for at in ("fps", "camera_motion", "crf")}
    assert told == {"fps": "request", "camera_motion": "pack", "crf": "pack"}


@pytest.mark.parametrize("container", ["webm", "gif"])
async def test_a_clip_of_animate_is_rendered_to_another_file(
    http: httpx.AsyncClient, hero: Path, tmp_path: Path, container: str
) -> None:
    source = Size(320, 180)
    motion = counter_video(tmp_path / "motion.mp4", frames=36, size=source, sound=True)
    body = {
        "prompt": "she dances",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", motion),
        "render": {"container": container},
    }
    outputs = await _completed(http, body, "animate")
    assert outputs["has_audio"] is (container == "webm")
    counters = await _counters(http, outputs, tmp_path, source)
    assert len(counters) == outputs["frames"]
    expected = [round(number * 30 / 16) for number in range(len(counters))]
    assert all(abs(a - b) <= 1 for a, b in zip(counters, expected, strict=True)), counters


async def test_attached_stills_are_rendered_without_any_webui(tmp_path: Path) -> None:
    sizes = {5: Size(320, 180), 9: Size(200, 400), 3: Size(256, 256)}
    for number, size in sizes.items():
        Image.fromarray(counter_picture(number, size)).save(tmp_path / f"{number}.png")
    sound = tone(tmp_path / "sound.wav", duration_s=1.0)
    with running_stack(tmp_path / "stack", COMFYUI_URL=CLOSED_PORT_URL) as alone:
        async with alone.http() as http:
            refused = await _preview(http, [STILL, _frames("webui_animatediff", 8), _render()])
            assert "No WebUI is connected." in refused["problems"][0]["sentence"]
            assert refused["fallback"] is None
            body = {
                "still_asset_ids": [
                    await upload(http, "image", tmp_path / f"{number}.png") for number in sizes
                ],
                "render": {
                    "fps": 10,
                    "seconds_per_still": 0.3,
                    "audio_asset_id": await upload(http, "audio", sound),
                },
            }
            outputs = await _completed(http, body)
            assert outputs["has_audio"] is True
            assert outputs["simulated"] is False
            seen = await _counters(http, outputs, tmp_path, Size(480, 480))
    assert seen == [5] * 3 + [9] * 3 + [3] * 3


async def test_an_extension_that_is_off_is_refused_and_there_again_without_a_restart(
    system: System, http: httpx.AsyncClient
) -> None:
    chains = {
        "animatediff": [STILL, _frames("webui_animatediff", 8), _render()],
        "deforum": [STILL, _frames("webui_deforum", 8), _render()],
    }
    reasons = {
        "animatediff": "The AnimateDiff extension is not loaded.",
        "deforum": "The Deforum API is not there",
    }
    async with _switched_off(system, http):
        for name, stages in chains.items():
            refused = await _preview(http, stages)
            assert refused["ok"] is False
            assert reasons[name] in refused["problems"][0]["sentence"]
            answer = await http.post(
                "/api/jobs/motion-clip", json={"prompt": "a lake", "stages": stages}
            )
            assert (answer.status_code, answer.json()["code"]) == (422, "capability_missing")
        offered = refused["fallback"]["request"]
        outputs = await _completed(http, offered)
        assert outputs["job"]["settings_json"]["chain"] == "txt2img > video_render"
        assert outputs["duration_seconds"] == 1.0
    for stages in chains.values():
        assert (await _preview(http, stages))["ok"] is True


async def _preview(http: httpx.AsyncClient, stages: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"mode": "motion_clip", "prompt": "a lake", "stages": stages}
    answer = await http.post("/api/jobs/preview", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@asynccontextmanager
async def _switched_off(system: System, http: httpx.AsyncClient) -> AsyncIterator[None]:
    """The simulated WebUI without its extensions, until they are seen to be there again."""
    async with httpx.AsyncClient(base_url=system.webui_url) as simulator:

        async def switch(on: bool) -> None:
            answer = await simulator.put(
                "/simulator/installed", json={"animatediff": on, "deforum": on}
            )
            answer.raise_for_status()
            asked = await http.post("/api/admin/capabilities/refresh")
            assert asked.status_code == 202, asked.text

            async def seen() -> bool:
                told = (await http.get("/api/capabilities")).json()["motion_clip"]
                return all(backend["available"] is on for backend in told["backends"])

            await eventually(seen, within_s=SEEN_WITHIN_S)

        await switch(False)
        try:
            yield
        finally:
            await switch(True)
