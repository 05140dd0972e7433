"""Runs FFmpeg: the only place in the project that starts it.

Owns the binary's whereabouts, the limits a run has, its progress and its end. Arguments come
from ffmpeg-python (`ffmpeg.get_args(stream, overwrite_output=True)`) as a list and are never
joined to a command line. Must not know what a run is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

BINARY_VARIABLE = "ANIMATRIX_FFMPEG"
SAFE_PROTOCOLS = "file,pipe"
SAFE_DEMUXERS = "mov,mp4,m4a,3gp,matroska,webm,wav,mp3,flac,ogg,aac,png_pipe,jpeg_pipe,webp_pipe"
SAFE_INPUT_OPTIONS: dict[str, str] = {
    "protocol_whitelist": SAFE_PROTOCOLS,
    "format_whitelist": SAFE_DEMUXERS,
}
"""For `ffmpeg.input(file_url(path), **SAFE_INPUT_OPTIONS)`. The protocols alone are not enough:
with them an ffconcat, SVG, DASH or local HLS file still opens (facts/packages, hostile media)."""

_STDERR_TAIL_BYTES = 8192
_LIMITS_SCRIPT = (
    'ulimit -v "$1" 2>/dev/null; ulimit -t "$2" 2>/dev/null; ulimit -f "$3" 2>/dev/null; '
    'ulimit -c 0 2>/dev/null; shift 3; exec "$@"'
)


class FfmpegFailed(Exception):
    """FFmpeg ended with an error; `stderr_tail` holds its last words, for operators."""

    def __init__(self, returncode: int, stderr_tail: str) -> None:
        super().__init__(f"ffmpeg ended with {returncode}: {stderr_tail[-1000:]}")
        self.returncode = returncode
        self.stderr_tail = stderr_tail


class FfmpegTimeout(Exception):
    """FFmpeg was killed because its deadline passed."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(f"ffmpeg was killed after its deadline of {deadline_s:g} s")
        self.deadline_s = deadline_s


class FfmpegMissing(Exception):
    """There is no FFmpeg on this machine."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may use: virtual memory, and the size of each file it writes.

    An encode needs more than 512 MB of address space and fits 1 GB (facts/packages).
    """

    address_space_bytes: int = 4 << 30
    file_size_bytes: int = 8 << 30


DEFAULT_LIMITS = RunLimits()


@functools.cache
def ffmpeg_binary() -> str:
    """The path of FFmpeg: ANIMATRIX_FFMPEG, else the one on PATH, else the bundled one.

    Raises FfmpegMissing with what to do.
    """
    named = os.environ.get(BINARY_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise FfmpegMissing(f"{BINARY_VARIABLE} names {named}, which cannot be run")
        return found
    on_path = shutil.which("ffmpeg")
    if on_path:
        return on_path
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FfmpegMissing(
            f"no ffmpeg on PATH and none bundled; install one or set {BINARY_VARIABLE}"
        ) from error


def file_url(path: Path | str) -> str:
    """An input or output that FFmpeg can only understand as a local file, whatever its name."""
    return f"file:{path}"


async def run_ffmpeg(
    arguments: Sequence[str],
    *,
    deadline_s: float,
    on_frame: Callable[[int], None] | None = None,
    limits: RunLimits = DEFAULT_LIMITS,
) -> None:
    """Run FFmpeg with these arguments (without the binary) until it ends.

    `on_frame` is called with the number of frames written so far, about twice a second and at
    the end. Raises FfmpegFailed on any other exit status than 0, FfmpegTimeout after
    `deadline_s` seconds. The process is killed on timeout and when the task is cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(arguments, deadline_s, limits),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    tail = asyncio.create_task(_read_tail(process.stderr))
    try:
        async with asyncio.timeout(deadline_s):
            await _read_progress(process.stdout, on_frame)
            stderr_tail = await tail
            returncode = await process.wait()
    except TimeoutError as error:
        raise FfmpegTimeout(deadline_s) from error
    finally:
        tail.cancel()
        await _kill(process)
    if returncode != 0:
        raise FfmpegFailed(returncode, stderr_tail)


def _command(arguments: Sequence[str], deadline_s: float, limits: RunLimits) -> list[str]:
    # A shell sets the limits before exec: a preexec function may deadlock in a threaded process.
    cpu_s = math.ceil(deadline_s) * (os.cpu_count() or 1) + 1
    return [
        "/bin/sh",
        "-c",
        _LIMITS_SCRIPT,
        "limits",
        str(limits.address_space_bytes // 1024),
        str(cpu_s),
        str(limits.file_size_bytes // 512),
        ffmpeg_binary(),
        "-nostdin",
        "-hide_banner",
        "-nostats",
        "-loglevel",
        "warning",
        "-progress",
        "pipe:1",
        *arguments,
    ]


def _environment() -> dict[str, str]:
    # Nothing of ours reaches the child; few malloc arenas keep it inside its address space.
    return {"PATH": os.defpath, "LC_ALL": "C", "MALLOC_ARENA_MAX": "2", "AV_LOG_FORCE_NOCOLOR": "1"}


async def _read_progress(
    stdout: asyncio.StreamReader, on_frame: Callable[[int], None] | None
) -> None:
    while line := await stdout.readline():
        name, _, value = line.decode(errors="replace").strip().partition("=")
        if name == "frame" and on_frame is not None and value.isdigit():
            on_frame(int(value))


async def _read_tail(stderr: asyncio.StreamReader) -> str:
    tail = b""
    while chunk := await stderr.read(4096):
        tail = (tail + chunk)[-_STDERR_TAIL_BYTES:]
    return tail.decode(errors="replace").strip()


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.shield(process.wait())
