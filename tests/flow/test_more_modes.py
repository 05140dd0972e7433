"""Long videos of several segments, Start and end frame, and Pose control, through the system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.delivery_facts import inspect_delivery
from tests.support.media import Size, counter_video, photo, tone
from tests.support.system import ended, submit, upload

LONG_S = 11.0
PATIENCE_S = 110.0


async def _completed(
    http: httpx.AsyncClient, mode: str, body: dict[str, Any], folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The outputs of a job that must complete, and its manifest; the video lies in `folder`."""
    asked = {"quality_profile": "draft", "aspect_ratio": "1:1", **body}
    job_id = await submit(http, mode, asked)
    job = await ended(http, job_id, PATIENCE_S)
    assert job["status"] == "completed", job
    outputs = (await http.get(f"/api/jobs/{job_id}/outputs")).json()
    urls = {file["name"]: file["url"] for file in outputs["files"]}
    (folder / "video.mp4").write_bytes((await http.get(urls["video.mp4"])).content)
    manifest = (await http.get(urls["job_manifest.json"])).json()
    debug = (await http.get(urls["debug_metadata.json"])).json()
    assert debug["recoded"]["video"] is None, json.dumps(debug["recoded"])
    facts = await inspect_delivery(folder / "video.mp4")
    assert facts.frames == outputs["frames"] == manifest["delivery"]["frames"]
    return outputs, manifest


@pytest.mark.parametrize("submode", ["move", "mix"])
async def test_a_long_motion_video_is_made_in_segments_and_joined(
    http: httpx.AsyncClient, hero: Path, tmp_path: Path, submode: str
) -> None:
    motion = counter_video(tmp_path / "long.mp4", frames=round(LONG_S * 30), sound=True)
    body = {
        "prompt": "she walks on and on",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", motion),
        "animate_submode": submode,
    }
    outputs, manifest = await _completed(http, "animate", body, tmp_path)
    assert outputs["frames"] == 173
    assert [step["segment"] for step in manifest["steps"]] == [0, 1, 2]
    assert {f["name"] for f in outputs["files"]} >= {"pose_preview.mp4"}


async def test_a_long_sound_is_performed_in_segments_and_joined(
    http: httpx.AsyncClient, hero: Path, tmp_path: Path
) -> None:
    sound = tone(tmp_path / "long.wav", duration_s=LONG_S)
    body = {
        "prompt": "she tells a long story",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "audio_asset_id": await upload(http, "audio", sound),
    }
    outputs, manifest = await _completed(http, "audio-performance", body, tmp_path)
    assert outputs["frames"] == 178
    assert len(manifest["steps"]) == 3


async def test_a_video_between_two_frames(
    http: httpx.AsyncClient, hero: Path, tmp_path: Path
) -> None:
    last = photo(tmp_path / "last.png", size=Size(400, 300), format="PNG")
    body = {
        "prompt": "day turns to night",
        "start_frame_asset_id": await upload(http, "image", hero),
        "end_frame_asset_id": await upload(http, "image", last),
        "duration_override_seconds": 1.0,
    }
    outputs, manifest = await _completed(http, "start-end", body, tmp_path)
    assert outputs["frames"] == 17
    assert manifest["settings"]["frames_given"] == "start_frame and end_frame"


async def test_a_character_follows_a_control_video_or_pose_sheets(
    http: httpx.AsyncClient, hero: Path, motion: Path, tmp_path: Path
) -> None:
    character = await upload(http, "image", hero)
    body: dict[str, Any] = {"prompt": "she bows", "ground_truth_asset_id": character}
    video = {"control_video_asset_id": await upload(http, "video", motion)}
    for kind in ("pose", "canny", "depth"):
        asked = {**body, **video, "control_kind": kind}
        _, manifest = await _completed(http, "pose-control", asked, tmp_path)
        assert manifest["settings"]["control"] == kind
    sheets = {"pose_sheet_asset_ids": [character, character], "duration_override_seconds": 1.0}
    outputs, manifest = await _completed(http, "pose-control", {**body, **sheets}, tmp_path)
    assert manifest["settings"]["control"] == "pose sheet sequence"
    assert {f["name"] for f in outputs["files"]} >= {"pose_preview.mp4"}
