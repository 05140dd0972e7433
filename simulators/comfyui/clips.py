"""Picture sequences that are worked out only while they are read.

Owns Clip (what an IMAGE or MASK socket carries here) and Latent (what a LATENT socket
carries): descriptions of frames, so that a cached result of any length costs no memory.
It must not know node classes or the protocol.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Frame: TypeAlias = npt.NDArray[np.uint8]
"""One picture: height x width x 3, RGB, 0..255."""

Reader: TypeAlias = Callable[[int, int], Iterator[Frame]]
"""Called with the first index and a count, both within the clip."""

FRAMES_PER_LATENT = 4


@dataclass(frozen=True, eq=False)
class Clip:
    """``count`` frames of ``width`` x ``height`` pixels."""

    width: int
    height: int
    count: int
    reader: Reader

    def frames(self, first: int = 0, count: int | None = None) -> Iterator[Frame]:
        """Frames from ``first`` on; what lies beyond the end is left out."""
        last = self.count if count is None else min(self.count, first + count)
        return self.reader(first, max(0, last - first)) if last > first else iter(())

    def frame(self, index: int) -> Frame:
        """One frame, the nearest one where the index lies outside."""
        return next(self.frames(min(max(index, 0), self.count - 1), 1))


@dataclass(frozen=True)
class Cell:
    """One latent: four frames of a clip from ``first`` on, held at the clip's ends."""

    clip: Clip
    first: int


@dataclass(frozen=True)
class Latent:
    """Latents of a video of ``width`` x ``height`` pixels.

    n latents decode to 4 (n - 1) + 1 frames: the first gives its last frame only. Models
    that look at 2 x 2 latents at once (``paired``) cannot sample sides off a grid of 16.
    """

    width: int
    height: int
    cells: tuple[Cell, ...]
    paired: bool = False


def still(frame: Frame, count: int = 1) -> Clip:
    """The same picture ``count`` times."""

    def read(first: int, wanted: int) -> Iterator[Frame]:
        return (frame for _ in range(wanted))

    return Clip(frame.shape[1], frame.shape[0], count, read)


def solid(width: int, height: int, colour: tuple[int, int, int], count: int = 1) -> Clip:
    """One colour."""
    return still(np.full((height, width, 3), colour, np.uint8), count)


def drawn(width: int, height: int, count: int, draw: Callable[[int], Frame]) -> Clip:
    """Frames made one by one from their index."""

    def read(first: int, wanted: int) -> Iterator[Frame]:
        return (draw(index) for index in range(first, first + wanted))

    return Clip(width, height, count, read)


def mapped(clip: Clip, change: Callable[[int, Frame], Frame], size: tuple[int, int]) -> Clip:
    """Every frame changed by its index and picture; ``size`` is the new width and height."""

    def read(first: int, wanted: int) -> Iterator[Frame]:
        pairs = enumerate(clip.frames(first, wanted), first)
        return (change(index, frame) for index, frame in pairs)

    return Clip(*size, clip.count, read)


def picked(clip: Clip, indices: Iterable[int]) -> Clip:
    """Frames of a clip by index, held at its ends; runs are read in one go."""
    return spliced([(clip, index) for index in indices], clip.width, clip.height)


def spliced(parts: list[tuple[Clip, int]], width: int, height: int) -> Clip:
    """Frames taken from several clips of that size, each (clip, index), held at their ends."""
    held = [(clip, min(max(index, 0), clip.count - 1)) for clip, index in parts]

    def read(first: int, wanted: int) -> Iterator[Frame]:
        place, end = first, first + wanted
        last: tuple[int, int, Frame] | None = None
        while place < end:
            clip, start = held[place]
            if last is not None and last[:2] == (id(clip), start):
                yield last[2]
                place += 1
                continue
            run = 1
            while place + run < end and held[place + run] == (clip, start + run):
                run += 1
            for step, frame in enumerate(clip.frames(start, run)):
                last = (id(clip), start + step, frame)
                yield frame
            place += run

    return Clip(width, height, len(held), read)


def scaled(clip: Clip, width: int, height: int, crop: bool = True) -> Clip:
    """Resized; with ``crop`` the sides that do not fit are cut evenly, else it is stretched."""
    if (clip.width, clip.height) == (width, height):
        return clip

    def change(_: int, frame: Frame) -> Frame:
        return fitted(frame, width, height, crop)

    return mapped(clip, change, (width, height))


def fitted(frame: Frame, width: int, height: int, crop: bool = True) -> Frame:
    """One picture at another size."""
    picture = Image.fromarray(frame)
    if crop:
        wanted = width / height
        inner_w = min(picture.width, max(1, round(picture.height * wanted)))
        inner_h = min(picture.height, max(1, round(picture.width / wanted)))
        left, top = (picture.width - inner_w) // 2, (picture.height - inner_h) // 2
        picture = picture.crop((left, top, left + inner_w, top + inner_h))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def joined(a: Clip, b: Clip) -> Clip:
    """Two clips one after the other, the second at the size of the first."""
    fitting = scaled(b, a.width, a.height)

    def read(first: int, wanted: int) -> Iterator[Frame]:
        head = max(0, min(a.count - first, wanted))
        yield from a.frames(first, head)
        yield from fitting.frames(max(0, first - a.count), wanted - head)

    return Clip(a.width, a.height, a.count + b.count, read)


def encoded(clip: Clip, count: int) -> tuple[Cell, ...]:
    """The latents of ``count`` = 4 k + 1 frames of a clip."""
    latents = (count - 1) // FRAMES_PER_LATENT + 1
    shift = 1 - FRAMES_PER_LATENT
    return tuple(Cell(clip, FRAMES_PER_LATENT * n + shift) for n in range(latents))


def decoded(latent: Latent) -> Clip:
    """The frames of a latent."""
    parts = [
        (cell.clip, cell.first + step)
        for place, cell in enumerate(latent.cells)
        for step in range(FRAMES_PER_LATENT)
        if place or step == FRAMES_PER_LATENT - 1
    ]
    return spliced(parts, latent.width, latent.height)


def unfolded(latent: Latent) -> Clip:
    """All four frames of every latent: what is needed to restore it."""
    parts = [
        (cell.clip, cell.first + step) for cell in latent.cells for step in range(FRAMES_PER_LATENT)
    ]
    return spliced(parts, latent.width, latent.height)


def folded(clip: Clip) -> Latent:
    """The inverse of ``unfolded``."""
    places = range(0, clip.count, FRAMES_PER_LATENT)
    return Latent(clip.width, clip.height, tuple(Cell(clip, place) for place in places))


def repainted(latent: Latent, change: Callable[[int, Frame], Frame]) -> Latent:
    """A latent whose frames are changed; clips shared by latents stay shared."""
    size = (latent.width, latent.height)
    clips = {id(cell.clip): cell.clip for cell in latent.cells}
    fresh = {key: mapped(clip, change, size) for key, clip in clips.items()}
    cells = tuple(Cell(fresh[id(cell.clip)], cell.first) for cell in latent.cells)
    return replace(latent, cells=cells)
