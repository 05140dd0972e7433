"""Real media for tests: made with FFmpeg's libraries, readable back after scaling and re-encoding.

Every frame of a counter video shows its number as a grid of black and white blocks in the middle,
so that it survives a cover-scale to any shape. A flash whitens the rest of the frame and a beep
sounds while it is on screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]
GRID = (4, 3)
"""Columns and rows of blocks: twelve bits, most significant first."""
_GRID_SHARE = 0.5
_DARK, _BRIGHT, _FLASH, _GROUND = 16, 235, 235, 60
_TICKS = 90_000
BEEP_HZ = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


def counter_picture(number: int, size: Size, *, flash: bool = False) -> Grey:
    """A grey picture (height, width) that shows `number` (0..4095)."""
    picture = np.full((size.height, size.width), _FLASH if flash else _GROUND, np.uint8)
    side = _GRID_SHARE * min(size.width, size.height)
    for bit, (x0, x1, y0, y1) in enumerate(_blocks(size, side)):
        shown = number >> (GRID[0] * GRID[1] - 1 - bit) & 1
        picture[y0:y1, x0:x1] = _BRIGHT if shown else _DARK
    return picture


def read_counter(picture: Grey, source: Size) -> int:
    """The number in a picture that was made from `source` by covering and cutting the centre."""
    height, width = picture.shape
    scale = max(width / source.width, height / source.height)
    side = _GRID_SHARE * min(source.width, source.height) * scale
    number = 0
    for x0, x1, y0, y1 in _blocks(Size(width, height), side):
        inset_x, inset_y = (x1 - x0) // 4, (y1 - y0) // 4
        block = picture[y0 + inset_y : y1 - inset_y, x0 + inset_x : x1 - inset_x]
        number = number << 1 | int(block.mean() > (_DARK + _BRIGHT) / 2)
    return number


def is_flash(picture: Grey) -> bool:
    """Whether the ground around the blocks is white."""
    edge = max(2, min(picture.shape) // 20)
    return float(picture[edge : 2 * edge, edge:-edge].mean()) > (_FLASH + _GROUND) / 2


def _blocks(size: Size, side: float) -> Iterator[tuple[int, int, int, int]]:
    columns, rows = GRID
    left, top = (size.width - side) / 2, (size.height - side) / 2
    for row in range(rows):
        for column in range(columns):
            yield (
                round(left + side * column / columns),
                round(left + side * (column + 1) / columns),
                round(top + side * row / rows),
                round(top + side * (row + 1) / rows),
            )


def even_times(fps: Fraction, frames: int) -> tuple[Fraction, ...]:
    """When each frame of a constant rate is shown, in seconds."""
    return tuple(Fraction(n) / fps for n in range(frames))


def uneven_times(frames: int, *, mean_fps: int = 30, seed: int = 7) -> tuple[Fraction, ...]:
    """Times of a variable rate, as phones record: gaps between half and twice the mean."""
    gaps = np.random.default_rng(seed).uniform(0.5, 2.0, frames) / mean_fps
    ticks = np.concatenate([[0], np.cumsum(np.round(gaps * _TICKS)).astype(int)])[:frames]
    return tuple(Fraction(int(t), _TICKS) for t in ticks)


def counter_video(
    path: Path,
    *,
    fps: Fraction = Fraction(30),
    frames: int = 48,
    times: Sequence[Fraction] | None = None,
    size: Size = Size(320, 180),
    flash_frame: int | None = None,
    flash_frames: int = 1,
    sound: bool = False,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    codec: str = "libx264",
    audio_codec: str = "aac",
) -> Path:
    """Write a video that counts; `rotation` degrees go into its display matrix.

    With `sound`, silence as long as the video, and a beep as long as the flash is shown: from
    `flash_frame` on for `flash_frames` frames (two or more, or a lower rate may leave it out).
    """
    flashing = range(0) if flash_frame is None else range(flash_frame, flash_frame + flash_frames)
    shown = tuple(times) if times is not None else even_times(fps, frames)
    end = shown[-1] + (shown[-1] - shown[-2] if len(shown) > 1 else 1 / fps)
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream(codec, rate=fps)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = size.width, size.height, "yuv420p"
        video.time_base = Fraction(1, _TICKS)
        video.codec_context.time_base = Fraction(1, _TICKS)
        if codec == "libx264":
            video.options = {"crf": "12", "preset": "veryfast"}
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream(audio_codec, rate=48_000) if sound else None
        for number, at in enumerate(shown):
            grey = counter_picture(number, size, flash=number in flashing)
            frame = VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = round(at * _TICKS), Fraction(1, _TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if isinstance(audio, AudioStream):
            beep = None
            if flashing:
                after = shown[flashing.stop] if flashing.stop < len(shown) else end
                beep = (float(shown[flashing.start]), float(after))
            for part in _sound_frames(float(end), 48_000, beep):
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
    return path


def tone(
    path: Path,
    *,
    duration_s: float = 2.0,
    sample_rate_hz: int = 44_100,
    beep_s: tuple[float, float] | None = None,
    codec: str = "pcm_s16le",
) -> Path:
    """Write a sound file: a steady tone, or silence with one beep from `beep_s`[0] to [1]."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=sample_rate_hz)
        assert isinstance(stream, AudioStream)
        for frame in _sound_frames(duration_s, sample_rate_hz, beep_s or (0.0, duration_s)):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _sound_frames(
    duration_s: float, sample_rate_hz: int, beep_s: tuple[float, float] | None
) -> Iterator[av.AudioFrame]:
    at = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    level = np.zeros(at.size)
    if beep_s is not None:
        level = np.where((at >= beep_s[0]) & (at < beep_s[1]), 0.6, 0.0)
    wave = (level * np.sin(2 * np.pi * BEEP_HZ * at) * 32_000).astype(np.int16)
    for start in range(0, wave.size, 1024):
        part = wave[start : start + 1024]
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.stack([part, part], axis=1).reshape(1, -1)),
            format="s16",
            layout="stereo",
        )
        frame.sample_rate, frame.pts = sample_rate_hz, start
        frame.time_base = Fraction(1, sample_rate_hz)
        yield frame


@dataclass(frozen=True, slots=True)
class Film:
    """A decoded video: upright grey pictures, their times, and the sound (mono, -1..1)."""

    times_s: tuple[float, ...]
    pictures: tuple[Grey, ...]
    sound: NDArray[np.float32]
    sound_start_s: float
    sample_rate_hz: int

    def counters(self, source: Size) -> list[int]:
        """The number on every picture."""
        return [read_counter(p, source) for p in self.pictures]

    def flash_s(self) -> float:
        """When the first flash comes on screen."""
        return next(t for t, p in zip(self.times_s, self.pictures, strict=True) if is_flash(p))

    def beep_s(self) -> float:
        """When the first loud sample sounds."""
        loud = np.flatnonzero(np.abs(self.sound) > 0.2)
        return self.sound_start_s + int(loud[0]) / self.sample_rate_hz


def watch(path: Path) -> Film:
    """Decode a whole video with its sound."""
    times: list[float] = []
    pictures: list[Grey] = []
    sound: list[NDArray[np.float32]] = []
    sound_start_s, rate = 0.0, 1
    resampler = av.AudioResampler(format="fltp", layout="mono")
    with av.open(str(path)) as container:
        for frame in container.decode():
            if isinstance(frame, VideoFrame):
                times.append(float(frame.time or 0.0))
                grey = frame.to_ndarray(format="gray")
                pictures.append(np.rot90(grey, frame.rotation // 90))
            elif isinstance(frame, av.AudioFrame):
                if not sound:
                    sound_start_s, rate = float(frame.time or 0.0), frame.sample_rate
                sound += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    joined = np.concatenate(sound) if sound else np.zeros(0, np.float32)
    return Film(tuple(times), tuple(pictures), joined, sound_start_s, rate)


def photo(
    path: Path, *, size: Size = Size(120, 80), orientation: int | None = None, **save: object
) -> Path:
    """A picture whose stored left half is red and right half is blue; EXIF may say to turn it."""
    pixels = np.zeros((size.height, size.width, 3), np.uint8)
    pixels[:, : size.width // 2, 0] = 255
    pixels[:, size.width // 2 :, 2] = 255
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
        exif[0x010F] = "a camera that must not be known"
    image.save(path, exif=exif, **save)  # type: ignore[arg-type]
    return path


@contextmanager
def unlimited_pixels() -> Iterator[None]:
    """Let this process make pictures that the product must refuse."""
    kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = kept
