"""The sandbox: what a child cannot do, when it is stopped, and that the server comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ffmpeg
import pytest

from contracts.errors import ErrorCode
from runtime.ffmpeg import file_url, run_ffmpeg
from runtime.probe import ProbeLimits, ProbeRefused, SandboxLost, probe_media
from runtime.sandbox.client import SANDBOX, ChildLimits, Sandbox
from tests.support.hostile_media import huge_png
from tests.support.media import photo
from tests.support.waiting import eventually


def _server_pid() -> int:
    process = SANDBOX._process
    assert process is not None
    return process.pid


async def _long_video(path: Path) -> Path:
    given = ffmpeg.input("testsrc2=size=640x360:rate=60:duration=40", f="lavfi")
    output = given.output(file_url(path), vcodec="libx264", preset="ultrafast", pix_fmt="yuv420p")
    await run_ffmpeg(ffmpeg.get_args(output), deadline_s=60)
    return path


async def test_a_probe_is_stopped_when_its_time_is_up(tmp_path: Path) -> None:
    path = await _long_video(tmp_path / "a.mp4")
    await probe_media(photo(tmp_path / "warm.png"))
    started = time.monotonic()
    with pytest.raises(ProbeRefused) as refused:
        await probe_media(path, limits=ProbeLimits(deadline_s=0.1))
    assert time.monotonic() - started < 3
    assert refused.value.code == ErrorCode.FILE_TOO_LONG


async def test_a_probe_cannot_take_more_memory_than_allowed(tmp_path: Path) -> None:
    path = huge_png(tmp_path / "a.png", 16_000)
    limits = ProbeLimits(max_image_pixels=300_000_000, address_space_bytes=400 << 20)
    with pytest.raises(ProbeRefused) as refused:
        await probe_media(path, limits=limits)
    assert refused.value.code == ErrorCode.FILE_UNDECODABLE
    assert "memory" in refused.value.detail


async def test_probes_run_side_by_side(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png")
    probed = await asyncio.gather(*(probe_media(path) for _ in range(20)))
    assert len({p.facts for p in probed}) == 1


async def test_a_cancelled_probe_leaves_no_child(tmp_path: Path) -> None:
    path = await _long_video(tmp_path / "a.mp4")
    await probe_media(photo(tmp_path / "warm.png"))
    children = Path(f"/proc/{_server_pid()}/task/{_server_pid()}/children")
    task = asyncio.create_task(probe_media(path))
    await eventually(lambda: children.read_text().strip(), every_s=0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not children.read_text().strip())


async def test_a_killed_server_is_started_again(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png")
    await probe_media(path)
    first = SANDBOX._process
    assert first is not None
    first.kill()
    await eventually(lambda: first.poll() is not None)
    await probe_media(path)
    assert _server_pid() != first.pid


async def test_work_in_hand_is_told_when_the_server_dies(tmp_path: Path) -> None:
    path = await _long_video(tmp_path / "a.mp4")
    await probe_media(photo(tmp_path / "warm.png"))
    children = Path(f"/proc/{_server_pid()}/task/{_server_pid()}/children")
    task = asyncio.create_task(probe_media(path))
    await eventually(lambda: children.read_text().strip(), every_s=0.005)
    os.kill(_server_pid(), signal.SIGKILL)
    with pytest.raises(SandboxLost):
        await task


async def test_the_server_carries_no_secret_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATRIX_SECRET", "do-not-tell")
    own = Sandbox()
    try:
        limits = ChildLimits(deadline_s=10, cpu_s=10, address_space_bytes=2 << 30)
        end = await own.run(
            "image",
            [photo(tmp_path / "a.png")],
            limits,
            parameters={"max_pixels": 100_000, "thumbnail_px": 64},
        )
        assert end.reply is not None
        assert own._process is not None
        environment = Path(f"/proc/{own._process.pid}/environ").read_bytes()
        assert b"do-not-tell" not in environment
    finally:
        own.close()


_CONFINED = """
import json, os, socket
from runtime.sandbox import server
source = os.open({path!r}, os.O_RDONLY)
limits = dict(cpu_s=5, output_bytes=1000, address_space_bytes=2 << 30)
server._confine(limits, server._close_all_but({{source}}), None)
os.dup(source)  # the one that the demuxer needs
said = []
for attempt in (lambda: open("/etc/passwd"), socket.socket, lambda: os.dup(source)):
    try:
        attempt()
        said.append("done")
    except OSError as error:
        said.append("refused")
print(json.dumps(said))
"""


async def test_a_confined_child_can_open_neither_files_nor_sockets(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", _CONFINED.format(path=str(path))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == '["refused", "refused", "refused"]'
