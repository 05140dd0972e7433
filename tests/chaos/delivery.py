"""Whether a completed job delivered what it says: fetched, hashed and decoded independently.

Uses PyAV and hashlib alone; nothing of the product takes part in the judgement.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame

from tests.chaos.orders import Client

VIDEO, MANIFEST = "video.mp4", "job_manifest.json"


async def delivery_faults(client: Client, job_id: str) -> tuple[list[str], str]:
    """What is wrong with the delivered files of a completed job, and the video's sha256."""
    answer = await client.ask("GET", f"/api/jobs/{job_id}/outputs")
    if answer.status_code != 200:
        return [f"outputs: {answer.status_code}"], ""
    outputs = answer.json()
    found: list[str] = []
    files: dict[str, bytes] = {}
    for file in outputs["files"]:
        got = await client.ask("GET", file["url"])
        if got.status_code != 200:
            found.append(f"{file['name']}: {got.status_code}")
            continue
        files[file["name"]] = got.content
        if hashlib.sha256(got.content).hexdigest() != file["sha256"]:
            found.append(f"{file['name']}: other bytes than its sha256 says")
    if not {VIDEO, MANIFEST} <= files.keys():
        return [*found, f"only {sorted(files)} came"], ""
    sha256 = hashlib.sha256(files[VIDEO]).hexdigest()
    manifest = json.loads(files[MANIFEST])
    if (manifest["job_id"], manifest["delivered_sha256"]) != (job_id, sha256):
        found.append("the manifest names another job or other bytes")
    return [*found, *decoding_faults(files[VIDEO], outputs)], sha256


def decoding_faults(video: bytes, outputs: dict[str, Any]) -> list[str]:
    """What decoding every frame and every sample shows, compared with what was promised."""
    frames, sizes, samples = 0, set(), 0
    try:
        with av.open(io.BytesIO(video), "r") as container:
            if not container.streams.video:
                return ["no video in it"]
            for frame in container.decode([*container.streams.video, *container.streams.audio]):
                if isinstance(frame, VideoFrame):
                    frames += 1
                    sizes.add((frame.width, frame.height))
                elif isinstance(frame, av.AudioFrame):
                    samples += frame.samples
    except (FFmpegError, ValueError) as broken:
        return [f"not decodable: {broken!r}"]
    found = []
    if frames != outputs["frames"]:
        found.append(f"{frames} frames instead of {outputs['frames']}")
    if sizes != {(outputs["width"], outputs["height"])}:
        found.append(f"pictures of {sorted(sizes)}")
    if bool(samples) != outputs["has_audio"]:
        found.append(f"{samples} samples of sound")
    return found
