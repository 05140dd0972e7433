"""Measures files of this machine: videos in the sandbox, pictures by decoding them.

Owns nothing but the measuring; what is good enough is decided in verification.
"""

from __future__ import annotations

import asyncio
import json
import mmap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from contracts.plan import Frame
from runtime.delivery_facts import (
    DeliveredContainer,
    DeliveryFacts,
    ShownPictures,
    inspect_delivery,
)
from runtime.probe import ProbeRefused
from services.collector.artifacts import PictureFiles, preview_plan, preview_size
from services.collector.faults import invalid
from services.collector.h264 import parameter_sets
from services.collector.joining import Source
from services.collector.ordering import SegmentOrder

MAX_INDEX_BYTES = 64 << 20
MIN_NEEDLE_BYTES = 8


async def measure(
    path: Path,
    what: str,
    step: int | None = None,
    *,
    container: DeliveredContainer = "mp4",
    fps: int | None = None,
    shown: ShownPictures | None = None,
) -> DeliveryFacts:
    """The facts of a fully decoded video, and its pictures where they are wanted.

    Raises ResultFault for one that cannot be decoded.
    """
    try:
        return await inspect_delivery(path, container=container, fps=fps, shown=shown)
    except ProbeRefused as refused:
        raise invalid(f"{what} cannot be decoded: {refused}", step) from refused


async def survey_segment(path: Path, order: SegmentOrder) -> Source:
    """A step's video by its packets, nothing decoded. Raises ResultFault for one that is none."""
    try:
        facts = await inspect_delivery(path, packets_only=True)
    except ProbeRefused as refused:
        raise invalid(f"{order.output.file.key} is no video: {refused}", order.step) from refused
    return Source(path, order, facts, await asyncio.to_thread(parameter_sets_of, path))


async def measure_segment(path: Path, order: SegmentOrder) -> Source:
    """A step's video, decoded. Raises ResultFault for one that cannot be decoded."""
    facts = await measure(path, f"{order.output.file.key}", order.step)
    return Source(path, order, facts, await asyncio.to_thread(parameter_sets_of, path))


def parameter_sets_of(path: Path) -> bytes | None:
    """The H.264 configuration in an mp4's index, None where there is none."""
    return parameter_sets(_index(path))


def _index(path: Path) -> bytes:
    with path.open("rb") as source:
        while len(header := source.read(8)) == 8:
            size, name = int.from_bytes(header[:4]), header[4:]
            at = source.tell()
            if size == 1:
                size = int.from_bytes(source.read(8))
            if name == b"moov":
                return source.read(min(size, MAX_INDEX_BYTES))
            if size < 8:
                break
            source.seek(at - 8 + size)
    return b""


async def left_in(path: Path, secrets: Sequence[str]) -> tuple[str, ...]:
    """Those of the texts that stand in the file's bytes, in UTF-8 or as JSON writes them.

    Texts shorter than MIN_NEEDLE_BYTES are not looked for: coded pictures hold them by chance.
    """
    return await asyncio.to_thread(_left_in, path, secrets)


def _left_in(path: Path, secrets: Sequence[str]) -> tuple[str, ...]:
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as all_:
        return tuple(
            text
            for text in secrets
            if len(needle := text.encode()) >= MIN_NEEDLE_BYTES
            and (all_.find(needle) >= 0 or all_.find(_as_json(text)) >= 0)
        )


def _as_json(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


async def check_pictures(files: PictureFiles, frame: Frame) -> None:
    """Decode the pictures made for a video. Raises ResultFault unless they are as planned.

    The preview may have fewer pictures than planned: the encoder of animated WebP shows equal
    neighbours as one picture for longer.
    """
    full = (frame.width_px, frame.height_px)
    expected = (
        (files.poster, "JPEG", full, 1),
        (files.first_frame, "JPEG", full, 1),
        (files.preview, "WEBP", preview_size(frame), preview_plan(frame).frames),
    )
    for path, format_, size, count in expected:
        found = await asyncio.to_thread(_decoded, path)
        as_planned = found[:2] == (format_, size) and 1 <= found[2] <= count
        if not as_planned:
            raise invalid(f"{path.name} is {found} instead of {(format_, size, count)}")


def _decoded(path: Path) -> tuple[str | None, tuple[int, int], int]:
    try:
        with Image.open(path, formats=("JPEG", "WEBP")) as picture:
            count = getattr(picture, "n_frames", 1)
            for number in range(count):
                picture.seek(number)
                picture.load()
            return picture.format, picture.size, count
    except (OSError, UnidentifiedImageError) as error:
        raise invalid(f"{path.name} cannot be decoded: {error}") from error
