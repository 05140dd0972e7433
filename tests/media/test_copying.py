"""What a confined child may not do, and how its end is told, when it writes a copy."""

from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path

import pytest

from contracts.errors import ErrorCode
from runtime import copying
from runtime.copying import copy_pictures
from runtime.delivery_facts import inspect_delivery
from runtime.probe import ProbeLimits, ProbeRefused, SandboxBroken
from tests.support.hostile_media import truncated
from tests.support.media import Size, counter_video

FULL_DISK = Path("/dev/full")


SMALL, LARGE = Size(320, 180), Size(1280, 720)


def _video(path: Path, frames: int = 48, size: Size = SMALL) -> Path:
    return counter_video(path, fps=Fraction(16), frames=frames, size=size)


@pytest.mark.skipif(not FULL_DISK.exists(), reason="there is no full device here")
async def test_a_full_disk_is_told_as_such_and_is_no_fault_of_the_video(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="space") as told:
        await copy_pictures([_video(tmp_path / "a.mp4")], FULL_DISK, fps=16, ticks_per_frame=1000)
    assert told.value.errno == errno.ENOSPC


async def test_a_copy_that_grows_too_large_says_nothing_about_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MAX_COPY_BYTES", 2000)
    with pytest.raises(SandboxBroken):
        await copy_pictures(
            [_video(tmp_path / "a.mp4")], tmp_path / "b.mp4", fps=16, ticks_per_frame=1000
        )


async def test_a_video_that_ends_early_is_refused(tmp_path: Path) -> None:
    short = truncated(_video(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    with pytest.raises(ProbeRefused) as refused:
        await copy_pictures([short], tmp_path / "c.mp4", fps=16, ticks_per_frame=1000)
    assert refused.value.code == ErrorCode.FILE_UNDECODABLE


async def test_copying_is_stopped_when_its_time_is_up(tmp_path: Path) -> None:
    video = _video(tmp_path / "a.mp4", 400, LARGE)
    await inspect_delivery(video, packets_only=True)
    with pytest.raises(ProbeRefused) as refused:
        await copy_pictures(
            [video],
            tmp_path / "b.mp4",
            fps=16,
            ticks_per_frame=1000,
            limits=ProbeLimits(deadline_s=0.1),
        )
    assert refused.value.code == ErrorCode.FILE_TOO_LONG
