"""Large things: a big upload, and the preparation of a long video."""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
import time
from collections.abc import AsyncIterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx

from bench.figures import Finding, series
from bench.machine import rss_mb
from bench.stage import Stage, client_of, finished
from contracts.media import VideoRecipe
from runtime.ffmpeg import run_ffmpeg
from services.ingest.normalising import video_arguments
from tests.support.media import Size, counter_video, photo
from tests.support.system import submit, upload

CHUNK_BYTES = 1 << 20


def _padded_video(path: Path, video: Path, size_bytes: int) -> None:
    """A playable mp4 of any size: a box of padding that readers skip stands at its end."""
    with path.open("wb") as out:
        out.write(video.read_bytes())
        padding = size_bytes - out.tell()
        out.write(struct.pack(">I4sQ", 1, b"free", padding))
        left = padding - 16
        block = os.urandom(CHUNK_BYTES)
        while left > 0:
            left -= out.write(block[: min(left, CHUNK_BYTES)])


async def big_upload(stage: Stage, size_mb: int) -> Finding:
    """One upload through the gateway, beside a bare socket that hashes and writes the bytes."""
    small = counter_video(stage.folder / "small.mp4", frames=8, sound=False)
    big = stage.folder / "big.mp4"
    _padded_video(big, small, size_mb << 20)
    pid = stage.system.pid_of("gateway")
    if pid is None:
        raise RuntimeError("the gateway is down")
    before_mb = rss_mb(pid)
    peak = [before_mb]
    watching = asyncio.create_task(_watch_memory(pid, peak))
    async with client_of(stage.system.url) as http:
        began_s = time.perf_counter()
        boundary = "bench-boundary"
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="big.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        length = len(head) + big.stat().st_size + len(tail)
        answer = await http.post(
            "/api/assets/video",
            content=_form(head, big, tail),
            headers={
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(length),
            },
        )
        ours_s = time.perf_counter() - began_s
    watching.cancel()
    if answer.status_code != 201:
        raise RuntimeError(answer.text)
    bare_s = await _bare_copy(big, stage.folder / "copy.bin")
    big.unlink()
    ratio = bare_s / ours_s
    grown_mb = max(peak) - before_mb
    return Finding(
        f"upload of {size_mb} MB",
        "≥ 0.7 × a bare socket → sha256 → disk copy; memory growth ≤ 50 MB",
        (
            series("gateway", "MB/s", [size_mb / ours_s]),
            series("bare copy", "MB/s", [size_mb / bare_s]),
        ),
        ratio >= 0.7 and grown_mb <= 50,
        f"{size_mb / ours_s:.0f} MB/s = {ratio:.2f} × bare; the gateway grew by {grown_mb:.0f} MB",
        extra={"grown_mb": grown_mb},
    )


async def _form(head: bytes, path: Path, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    with path.open("rb") as source:
        while block := await asyncio.to_thread(source.read, CHUNK_BYTES):
            yield block
    yield tail


async def _watch_memory(pid: int, peak: list[float]) -> None:
    while True:
        peak[0] = max(peak[0], rss_mb(pid))
        await asyncio.sleep(0.02)


async def _bare_copy(source: Path, target: Path) -> float:
    """Seconds to send a file over a loopback socket to one that hashes, writes and syncs it."""
    done = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        digest = hashlib.sha256()
        with target.open("wb") as out:
            while block := await reader.read(CHUNK_BYTES):
                await asyncio.to_thread(digest.update, block)
                await asyncio.to_thread(out.write, block)
            out.flush()
            await asyncio.to_thread(os.fsync, out.fileno())
        writer.close()
        done.set()

    server = await asyncio.start_server(receive, "127.0.0.1", 0, limit=CHUNK_BYTES)
    async with server:
        began_s = time.perf_counter()
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        with source.open("rb") as file:
            while block := await asyncio.to_thread(file.read, CHUNK_BYTES):
                writer.write(block)
                await writer.drain()
        writer.write_eof()
        await done.wait()
        took_s = time.perf_counter() - began_s
        writer.close()
    target.unlink()
    return took_s


async def preparation(stage: Stage, seconds: int, times: int) -> Finding:
    """Ingest of 1080p30 videos for a job, beside the FFmpeg runs giving the same derivatives."""
    drawn = counter_video(
        stage.folder / "long.mp4",
        size=Size(1920, 1080),
        fps=Fraction(30),
        frames=30 * seconds,
        sound=True,
    )
    hero = photo(stage.folder / "hero-16x9.png", size=Size(640, 360), format="PNG")
    first, again, alone = list[float](), list[float](), list[float]()
    async with client_of(stage.system.url) as http:
        face = await upload(http, "image", hero)
        for n in range(times):
            # Another file each time: readers skip the box at its end.
            motion = stage.folder / f"long-{n}.mp4"
            _padded_video(motion, drawn, drawn.stat().st_size + 64 + n)
            body = {
                "prompt": "She walks",
                "ground_truth_asset_id": face,
                "motion_video_asset_id": await upload(http, "video", motion),
                "quality_profile": "draft",
                "aspect_ratio": "16:9",
            }
            took_s, recipe = await _prepared_s(http, {**body, "seed": 2 * n})
            first.append(took_s)
            again.append((await _prepared_s(http, {**body, "seed": 2 * n + 1}))[0])
            made = max(
                stage.system.var.rglob("derivatives/*/*/media.mp4"),
                key=lambda path: path.stat().st_mtime,
            )
            alone.append(await _one_run(motion, stage.folder / "baseline.mp4", recipe, made))
    found = (
        series("first", "s", first),
        series("second", "s", again),
        series("FFmpeg", "s", alone),
    )
    ratio, again_ms = found[0].at(50) / found[2].at(50), 1000 * found[1].at(50)
    return Finding(
        f"preparation of {seconds} s of 1080p30",
        "≤ 1.15 × one FFmpeg run; the second time ≤ 30 ms",
        found,
        ratio <= 1.15 and again_ms <= 30,
        f"{found[0].at(50):.2f} s = {ratio:.2f} × FFmpeg alone; second time {again_ms:.0f} ms",
        ("the picture of the job is made beside the video; FFmpeg gives the same bytes",),
    )


async def _prepared_s(http: httpx.AsyncClient, body: dict[str, Any]) -> tuple[float, VideoRecipe]:
    """Seconds between the two facts, by their own times, and how the video was to be made."""
    job_id = await submit(http, "animate", body)
    await finished(http, job_id)
    events = (await http.get(f"/api/jobs/{job_id}/events")).json()["events"]
    at = {e["event"]: datetime.fromisoformat(e["occurred_at"]).timestamp() for e in events}
    orders = next(e["data"]["plan"]["media"] for e in events if e["event"] == "job_submitted")
    recipe = next(o["recipe"] for o in orders if o["recipe"]["kind"] == "video")
    return at["media_prepared"] - at["job_submitted"], VideoRecipe.model_validate(recipe)


async def _one_run(source: Path, target: Path, recipe: VideoRecipe, made: Path) -> float:
    """Seconds of the one FFmpeg run that gives the same derivative, to the byte."""
    began_s = time.perf_counter()
    await run_ffmpeg(video_arguments(source, target, recipe, has_audio=True), deadline_s=300)
    took_s = time.perf_counter() - began_s
    if target.read_bytes() != made.read_bytes():
        raise RuntimeError("the run did not give the derivative that it is compared with")
    return took_s
