"""What a media file really is: proved by decoding all of it in a confined child.

Owns the limits, the types and the mapping of a child's end to an error of the catalogue. Must not
decode in this process (runtime.sandbox does) nor trust a file name.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import ErrorCode
from contracts.media import AudioFacts, CropBox, ImageFacts, MediaFacts, MediaKind, VideoFacts
from runtime.sandbox.client import SANDBOX, ChildEnd, ChildLimits, SandboxBroken, SandboxLost
from runtime.sniff import HEAD_BYTES, FileRefused, Format, executable, identify, referring

__all__ = [
    "ProbeLimits",
    "ProbeRefused",
    "Probed",
    "SandboxBroken",
    "SandboxLost",
    "make_picture",
    "probe_media",
]

THUMBNAIL_PX = 512
_TAIL_BYTES = 66_000
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})


class ProbeRefused(FileRefused):
    """The file cannot be used; code and detail say why."""


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """How large a file may be when decoded, and what decoding may cost."""

    max_image_pixels: int = 40_000_000
    max_video_side_px: int = 4096
    max_duration_s: float = 900.0
    deadline_s: float = 120.0
    address_space_bytes: int = 3 << 30

    def child(self) -> ChildLimits:
        """The limits of the process that decodes."""
        cpu_s = math.ceil(self.deadline_s) * 2
        return ChildLimits(self.deadline_s, cpu_s, self.address_space_bytes)


DEFAULT_LIMITS = ProbeLimits()


@dataclass(frozen=True, slots=True)
class Probed:
    """A proved file. MIME type and extension (without dot) are those of its content."""

    kind: MediaKind
    mime_type: str
    extension: str
    facts: MediaFacts


async def probe_media(
    path: Path,
    *,
    limits: ProbeLimits = DEFAULT_LIMITS,
    thumbnail: Path | None = None,
    thumbnail_px: int = THUMBNAIL_PX,
) -> Probed:
    """Decode the whole file and say what it is; with `thumbnail`, also write a JPEG there.

    The JPEG's longer side is at most `thumbnail_px`; sound gives a waveform. Raises ProbeRefused
    with FILE_EMPTY, FILE_TYPE_UNSUPPORTED, FILE_FORBIDDEN (text that names other files),
    FILE_CONTENT_MISMATCH (two formats at once), FILE_UNDECODABLE, FILE_TOO_MANY_PIXELS or
    FILE_TOO_LONG; SandboxLost or SandboxBroken when nothing was learnt and it may be tried again;
    FileNotFoundError.
    """
    found = await asyncio.to_thread(_recognise, path)
    if found.demuxer is None:
        task = "image"
        parameters = {**_picture_parameters(limits), "thumbnail_px": thumbnail_px}
    else:
        task = "streams"
        parameters = {
            **stream_parameters(limits),
            "demuxer": found.demuxer,
            "container": found.extension,
            "thumbnail_px": thumbnail_px,
        }
    end = await SANDBOX.run(
        task,
        [path],
        limits.child(),
        writes=[thumbnail] if thumbnail else (),
        parameters=parameters,
    )
    return _probed(found, told_facts(end, limits))


async def make_picture(
    path: Path,
    target: Path,
    *,
    width_px: int,
    height_px: int,
    crop: CropBox | None = None,
    limits: ProbeLimits = DEFAULT_LIMITS,
) -> None:
    """Write a PNG of exactly this size at `target`: upright, cropped, covering, nothing but pixels.

    Colours become sRGB, transparency becomes white. Raises as probe_media, and CROP_OUTSIDE_IMAGE.
    """
    parameters = {
        **_picture_parameters(limits),
        "width_px": width_px,
        "height_px": height_px,
        "crop": [crop.x_px, crop.y_px, crop.width_px, crop.height_px] if crop else None,
    }
    end = await SANDBOX.run(
        "picture", [path], limits.child(), writes=[target], parameters=parameters
    )
    told_facts(end, limits)


def _picture_parameters(limits: ProbeLimits) -> dict[str, Any]:
    return {"max_pixels": limits.max_image_pixels}


def stream_parameters(limits: ProbeLimits) -> dict[str, Any]:
    """How large and long a video may be, as a child is told."""
    return {"max_side_px": limits.max_video_side_px, "max_duration_s": limits.max_duration_s}


def _recognise(path: Path) -> Format:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(0, size_bytes - _TAIL_BYTES))
        tail = file.read()
    if not head:
        raise ProbeRefused(ErrorCode.FILE_EMPTY, "the file has no bytes")
    program = executable(head)
    if program is not None:
        raise ProbeRefused(ErrorCode.FILE_TYPE_UNSUPPORTED, f"the file is {program}")
    found = identify(head)
    if found is None:
        text = referring(head)
        if text is not None:
            raise ProbeRefused(ErrorCode.FILE_FORBIDDEN, f"the file is {text}")
        raise ProbeRefused(ErrorCode.FILE_TYPE_UNSUPPORTED, "the content is of no known format")
    if b"%PDF-" in head[:1024] or _ends_as_zip(tail):
        raise ProbeRefused(
            ErrorCode.FILE_CONTENT_MISMATCH, f"{found.mime} and a document or archive at once"
        )
    return found


def _ends_as_zip(tail: bytes) -> bool:
    # The comment length at the end of a ZIP's last record must reach exactly to the file's end.
    at = tail.rfind(_ZIP_END)
    if at < 0 or at + _ZIP_END_BYTES > len(tail):
        return False
    comment_bytes = int.from_bytes(tail[at + 20 : at + 22], "little")
    return at + _ZIP_END_BYTES + comment_bytes == len(tail)


def told_facts(end: ChildEnd, limits: ProbeLimits) -> dict[str, Any]:
    """What a child told. Raises ProbeRefused, OSError when there was no room for what it wrote,
    SandboxBroken when nothing was learnt."""
    reply = end.reply
    if reply is not None and "facts" in reply:
        return dict(reply["facts"])
    if reply is not None and "refused" in reply:
        raise ProbeRefused(ErrorCode(reply["refused"]), str(reply["detail"]))
    if reply is not None and "no_room" in reply:
        raise OSError(errno.ENOSPC, str(reply["no_room"]))
    if reply is not None:
        raise SandboxBroken(str(reply.get("defect", reply)))
    if end.out_of_time or end.signal == signal.SIGXCPU:
        raise ProbeRefused(
            ErrorCode.FILE_TOO_LONG, f"decoding was stopped after {limits.deadline_s:g} s"
        )
    if end.signal in _CRASHES:
        raise ProbeRefused(ErrorCode.FILE_UNDECODABLE, f"the decoder died of signal {end.signal}")
    raise SandboxBroken(f"the decoder ended with signal {end.signal}, status {end.exit_code}")


def _probed(found: Format, facts: dict[str, Any]) -> Probed:
    kind: MediaKind = facts["kind"]
    if kind == "image":
        return Probed("image", found.mime, found.extension, ImageFacts(**facts))
    if kind == "video":
        if found.kind == "audio" and found.extension != "m4a":
            raise ProbeRefused(ErrorCode.FILE_CONTENT_MISMATCH, f"{found.mime} with a picture")
        extension = "mp4" if found.extension == "m4a" else found.extension
        mime = "video/mp4" if found.extension == "m4a" else found.mime
        return Probed("video", mime, extension, VideoFacts(**facts))
    if found.extension in ("mp4", "mov"):
        return Probed("audio", "audio/mp4", "m4a", AudioFacts(**facts))
    mime = "audio/webm" if found.extension == "webm" else found.mime
    return Probed("audio", mime, found.extension, AudioFacts(**facts))
