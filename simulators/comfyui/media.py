"""Reads uploaded media: pictures, videos and sound.

Owns decoding (PyAV, Pillow) and the values that VIDEO and AUDIO sockets carry here. Errors
of the libraries pass through unchanged, because the real server reports them by name.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from simulators.comfyui.clips import Clip, Frame, joined, scaled, still

# Playlists inside an upload must not make the decoder open other files or addresses.
_OPEN = {"protocol_whitelist": "file"}


@dataclass(frozen=True)
class Sound:
    """A stretch of the first audio stream of a file, in seconds."""

    path: Path
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Video:
    """Frames at a rate with optional sound; an uploaded file is opened only when used."""

    path: Path | None = None
    clip: Clip | None = None
    fps: float = 0.0
    sound: Sound | None = None

    def components(self) -> "Video":
        """The same video with its frames and sound known. Raises av.error.* when undecodable."""
        if self.path is None:
            return self
        return open_video(self.path)


@dataclass(frozen=True)
class _Facts:
    width: int
    height: int
    count: int
    fps: float
    audio_s: float | None


def open_picture(path: Path) -> tuple[Clip, Clip]:
    """Picture and mask of an image file (mask: white where it is transparent).

    Raises PIL.UnidentifiedImageError for a file that is no image.
    """
    with Image.open(path) as opened:
        frames, masks = [], []
        for number in range(getattr(opened, "n_frames", 1)):
            opened.seek(number)
            picture = ImageOps.exif_transpose(opened)
            frames.append(np.asarray(picture.convert("RGB")))
            alpha = np.asarray(picture.convert("RGBA"))[..., 3:]
            masks.append(np.repeat(255 - alpha, 3, axis=2))
    return _stack(frames), _stack(masks)


def _stack(frames: list[Frame]) -> Clip:
    clip = still(frames[0])
    for frame in frames[1:]:
        clip = joined(clip, scaled(still(frame), clip.width, clip.height))
    return clip


def open_video(path: Path) -> Video:
    """An uploaded video with its frames as they come, whatever their timestamps say."""
    stat = path.stat()
    facts = _video_facts(path, stat.st_mtime_ns, stat.st_size)

    def read(first: int, wanted: int) -> Iterator[Frame]:
        with av.open(str(path), options=_OPEN) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index >= first + wanted:
                    return
                if index >= first:
                    yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)

    sound = None if facts.audio_s is None else Sound(path, 0.0, facts.audio_s)
    clip = Clip(facts.width, facts.height, facts.count, read)
    return Video(clip=clip, fps=facts.fps, sound=sound)


@lru_cache(maxsize=64)
def _video_facts(path: Path, _mtime_ns: int, _size: int) -> _Facts:
    with av.open(str(path), options=_OPEN) as container:
        if not container.streams.video:
            raise ValueError(f"No video stream found in file '{path}'")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        count = sum(1 for _ in container.decode(stream))
        rate = stream.average_rate or Fraction(1)
        size = (stream.codec_context.width, stream.codec_context.height)
        has_sound = bool(container.streams.audio)
    audio_s = _audio_length_s(path) if has_sound else None
    return _Facts(*size, count, float(rate), audio_s)


def _audio_length_s(path: Path) -> float:
    """Seconds of decoded sound, counted in samples."""
    samples, rate = 0, 1
    with av.open(str(path), options=_OPEN) as container:
        for frame in container.decode(audio=0):
            samples, rate = samples + frame.samples, frame.sample_rate
    return samples / rate


def open_sound(path: Path) -> Sound:
    """An uploaded audio file, or the sound of a video. Raises when there is none."""
    with av.open(str(path), options=_OPEN) as container:
        if not container.streams.audio:
            raise ValueError(f"No audio stream found in file '{path}'")
    length_s = _audio_length_s(path)
    if length_s <= 0:
        raise ValueError(f"No audio frames decoded from file '{path}'")
    return Sound(path, 0.0, length_s)


def loudness(sound: Sound, fps: float) -> npt.NDArray[np.float32]:
    """Root mean square of the sound per video frame, 0..1, at ``fps`` frames a second."""
    rate = 8000
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    parts: list[npt.NDArray[np.float32]] = []
    with av.open(str(sound.path), options=_OPEN) as container:
        for frame in container.decode(audio=0):
            parts += [np.asarray(f.to_ndarray()[0], np.float32) for f in resampler.resample(frame)]
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    start = round(sound.start_s * rate)
    samples = samples[start : start + round(sound.duration_s * rate)]
    levels = np.zeros(math.ceil(len(samples) / rate * fps), np.float32)
    for n in range(len(levels)):
        window = samples[round(n * rate / fps) : round((n + 1) * rate / fps)]
        if len(window):
            levels[n] = math.sqrt(float(np.mean(window**2)))
    return np.clip(levels, 0, 1)
