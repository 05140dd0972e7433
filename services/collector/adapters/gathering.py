"""Lays a film's pictures out on this machine: proved, bare, numbered without a gap.

Must not decode a picture, nor decide which pictures a film has.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.base import StoredFile
from contracts.plan import Frame
from runtime.media_store import MediaStore
from services.collector.adapters.intake import read_proved
from services.collector.faults import invalid
from services.collector.filming import PICTURE, Take, numbered, shown
from services.collector.png import Png, bare


@dataclass(frozen=True, slots=True)
class Gathered:
    """A film's pictures at hand: one numbered file for each frame, and the pictures themselves."""

    take: Take
    pictures: tuple[Path, ...]


async def gather(
    pictures: Sequence[StoredFile], frame: Frame, media: MediaStore, folder: Path, step: int | None
) -> Gathered:
    """Copy the pictures to `folder` (made here) and number one for each frame of the film.

    Raises ResultFault for a picture that is absent, altered, no sound PNG, of another shape than
    the first, or that does not fill the frame to an even number of pixels.
    """
    await asyncio.to_thread(folder.mkdir)
    first: Png | None = None
    kept: list[Path] = []
    for number, file in enumerate(pictures):
        png = await _proved(file, media, step)
        first = first or png
        if png.shape != first.shape:
            raise invalid(f"{file.key} is {png.shape}, the first picture {first.shape}", step)
        _refuse_size(png, frame, file.key, step)
        kept.append(folder / (PICTURE % number))
        await asyncio.to_thread(kept[-1].write_bytes, png.data)
    await asyncio.to_thread(_number, kept, frame.frames, folder)
    return Gathered(Take(folder, numbered=True), tuple(kept))


async def _proved(file: StoredFile, media: MediaStore, step: int | None) -> Png:
    data = await read_proved(media, file, step)
    try:
        return await asyncio.to_thread(bare, data)
    except ValueError as unsound:
        raise invalid(f"{file.key}: {unsound}", step) from unsound


def _refuse_size(png: Png, frame: Frame, key: str, step: int | None) -> None:
    padding = frame.width_px - png.width_px, frame.height_px - png.height_px
    if not all(side in (0, 1) for side in padding):
        wanted = f"{frame.width_px}x{frame.height_px}"
        raise invalid(f"{key} is {png.width_px}x{png.height_px}, the video {wanted}", step)


def _number(pictures: Sequence[Path], frames: int, folder: Path) -> None:
    for number, picture in enumerate(shown(len(pictures), frames)):
        os.link(pictures[picture], folder / numbered(number))
