"""Running FFmpeg: progress, failure, deadline, limits, cancellation."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import ffmpeg
import pytest

from runtime.ffmpeg import (
    SAFE_INPUT_OPTIONS,
    FfmpegFailed,
    FfmpegMissing,
    FfmpegTimeout,
    RunLimits,
    ffmpeg_binary,
    file_url,
    run_ffmpeg,
)
from tests.support import hostile_media as hostile
from tests.support.media import counter_video


def _encode(target: Path, seconds: float) -> list[str]:
    given = ffmpeg.input(f"testsrc=size=320x180:rate=30:duration={seconds}", f="lavfi")
    output: Any = given.output(file_url(target), vcodec="libx264", pix_fmt="yuv420p")
    return list(ffmpeg.get_args(output, overwrite_output=True))


def _children_of_this_process() -> set[str]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        if fields[1].split()[1] == str(os.getpid()) and fields[1].split()[0] != "Z":
            found.add(fields[0].split("(", 1)[1])
    return found


async def test_a_run_tells_how_many_frames_it_has_written(tmp_path: Path) -> None:
    seen: list[int] = []
    await run_ffmpeg(_encode(tmp_path / "a.mp4", 2), deadline_s=30, on_frame=seen.append)
    assert seen[-1] == 60
    assert seen == sorted(seen)


async def test_a_failure_carries_status_and_last_words(tmp_path: Path) -> None:
    missing = ffmpeg.input(file_url(tmp_path / "absent.mp4")).output(file_url(tmp_path / "o.mp4"))
    with pytest.raises(FfmpegFailed) as failure:
        await run_ffmpeg(ffmpeg.get_args(missing), deadline_s=10)
    assert failure.value.returncode > 0
    assert "No such file" in failure.value.stderr_tail


async def test_a_run_is_killed_at_its_deadline(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(FfmpegTimeout):
        await run_ffmpeg(_encode(tmp_path / "a.mp4", 100_000), deadline_s=0.5)
    assert time.monotonic() - started < 5
    assert not {n for n in _children_of_this_process() if "ffmpeg" in n}


async def test_cancelling_the_task_kills_the_run(tmp_path: Path) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(
        run_ffmpeg(
            _encode(tmp_path / "a.mp4", 100_000), deadline_s=60, on_frame=lambda _: begun.set()
        )
    )
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not {n for n in _children_of_this_process() if "ffmpeg" in n}


async def test_a_run_cannot_write_more_than_its_limit(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    with pytest.raises(FfmpegFailed):
        await run_ffmpeg(
            _encode(target, 600), deadline_s=60, limits=RunLimits(file_size_bytes=64 * 1024)
        )
    assert target.stat().st_size <= 64 * 1024


async def test_a_run_sees_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "spy"
    script.write_text(f'#!/bin/sh\nenv > "{tmp_path}/seen"\n')
    script.chmod(0o755)
    monkeypatch.setenv("ANIMATRIX_FFMPEG", str(script))
    monkeypatch.setenv("ANIMATRIX_SECRET", "do-not-tell")
    ffmpeg_binary.cache_clear()
    try:
        await run_ffmpeg([], deadline_s=10)
    finally:
        ffmpeg_binary.cache_clear()
    assert "do-not-tell" not in (tmp_path / "seen").read_text()


def test_a_wrong_setting_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATRIX_FFMPEG", "/nowhere/ffmpeg")
    ffmpeg_binary.cache_clear()
    try:
        with pytest.raises(FfmpegMissing, match="ANIMATRIX_FFMPEG"):
            ffmpeg_binary()
    finally:
        ffmpeg_binary.cache_clear()


@pytest.mark.parametrize(
    "write", [hostile.hls_playlist, hostile.ffconcat, hostile.svg, hostile.dash_manifest]
)
async def test_safe_inputs_do_not_follow_references(tmp_path: Path, write: Any) -> None:
    secret = counter_video(tmp_path / "secret.mp4", frames=4)
    trap = tmp_path / "trap.mp4"
    if write in (hostile.hls_playlist, hostile.ffconcat):
        write(trap, str(secret))
    else:
        write(trap)
    output = ffmpeg.input(file_url(trap), **SAFE_INPUT_OPTIONS).output(
        file_url(tmp_path / "leak.mp4")
    )
    with pytest.raises(FfmpegFailed):
        await run_ffmpeg(ffmpeg.get_args(output), deadline_s=20)
    assert not (tmp_path / "leak.mp4").exists()
