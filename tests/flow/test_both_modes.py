"""Both modes from upload to a verified, playable video, as a user does it."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.delivery_facts import inspect_delivery
from tests.support.system import System, ended, sse, submit, upload

FILES = {
    "video.mp4",
    "poster.jpg",
    "first_frame.jpg",
    "preview.webp",
    "job_manifest.json",
    "debug_metadata.json",
}


async def _delivered(http: httpx.AsyncClient, job_id: str, folder: Path) -> dict[str, Any]:
    outputs = (await http.get(f"/api/jobs/{job_id}/outputs")).json()
    folder.mkdir(parents=True, exist_ok=True)
    for file in outputs["files"]:
        name = file["name"]
        answer = await http.get(file["url"])
        assert answer.status_code == 200, (name, answer.text)
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"], name
        (folder / name).write_bytes(answer.content)
    return dict(outputs)


@pytest.mark.parametrize("submode", ["move", "mix"])
async def test_animate_makes_a_verified_video(
    http: httpx.AsyncClient, hero: Path, motion: Path, tmp_path: Path, submode: str
) -> None:
    body = {
        "prompt": "she dances on a roof",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", motion),
        "animate_submode": submode,
        "quality_profile": "draft",
        "aspect_ratio": "1:1",
    }
    job_id = await submit(http, "animate", body)
    job = await ended(http, job_id)
    assert job["status"] == "completed", job
    outputs = await _delivered(http, job_id, tmp_path)
    assert {f["name"] for f in outputs["files"]} == {*FILES, "pose_preview.mp4"}
    facts = await inspect_delivery(tmp_path / "video.mp4")
    assert (facts.codec, facts.pix_fmt, facts.faststart) == ("h264", "yuv420p", True)
    assert (facts.frames, facts.rate) == (outputs["frames"], Fraction(16))
    assert facts.audio is not None
    assert facts.audio.codec == "aac"
    manifest = json.loads((tmp_path / "job_manifest.json").read_text())
    assert (
        manifest["delivered_sha256"]
        == hashlib.sha256((tmp_path / "video.mp4").read_bytes()).hexdigest()
    )
    assert b"she dances" not in (tmp_path / "video.mp4").read_bytes()
    assert job["simulated"] is True


async def test_audio_performance_makes_a_verified_video(
    http: httpx.AsyncClient, hero: Path, speech: Path, tmp_path: Path
) -> None:
    body = {
        "prompt": "she sings",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "audio_asset_id": await upload(http, "audio", speech),
        "quality_profile": "draft",
        "aspect_ratio": "9:16",
    }
    job_id = await submit(http, "audio-performance", body)
    job = await ended(http, job_id)
    assert job["status"] == "completed", job
    outputs = await _delivered(http, job_id, tmp_path)
    assert {f["name"] for f in outputs["files"]} == FILES
    assert (await inspect_delivery(tmp_path / "video.mp4")).audio is not None


async def test_the_stream_tells_every_state_once_and_in_order(
    http: httpx.AsyncClient, hero: Path, motion: Path
) -> None:
    body = {
        "prompt": "she waves",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", motion),
        "animate_submode": "move",
        "quality_profile": "draft",
    }
    job_id = await submit(http, "animate", body)
    seen = [e async for e in sse(http, f"/api/jobs/{job_id}/stream")]
    states = [e["event"] for e in seen if e["event"] != "progress"]
    assert states == [
        "accepted",
        "uploaded",
        "queued",
        "executing",
        "collecting_outputs",
        "completed",
    ]
    assert any(e["event"] == "progress" for e in seen)
    durable = [int(e["id"]) for e in seen if "id" in e]
    assert durable == sorted(set(durable))
    again = [
        e
        async for e in sse(http, f"/api/jobs/{job_id}/stream", **{"Last-Event-ID": str(durable[2])})
    ]
    assert [int(e["id"]) for e in again if "id" in e] == durable[3:]


async def test_a_second_job_with_the_same_asset_and_recipe_reuses_the_media(
    system: System, http: httpx.AsyncClient, hero: Path, motion: Path
) -> None:
    body = {
        "prompt": "first",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", motion),
        "animate_submode": "move",
        "quality_profile": "draft",
        "aspect_ratio": "16:9",
    }
    reused = []
    for prompt in ("first", "second"):
        job_id = await submit(http, "animate", {**body, "prompt": prompt})
        assert (await ended(http, job_id))["status"] == "completed"
        events = (await http.get(f"/api/jobs/{job_id}/events")).json()["events"]
        prepared = next(e for e in events if e["event"] == "media_prepared")
        reused.append([m["reused"] for m in prepared["data"]["prepared"]])
    assert all(reused[1])
