"""Judges a video or sound that was decoded whole: facts, or the reason why it is refused.

A file is damaged when it ends before its own account of itself, or when more than a hundredth
(and more than two) of its packets cannot be decoded: encoders' first packets often cannot.
Must not open files.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw

from runtime.sandbox.containers import refuse_truncated
from runtime.sandbox.decoding import AudioTrack, Decoded, VideoTrack, bounds_of, decode_all
from runtime.sandbox.pictures import save_thumbnail
from runtime.sandbox.refusal import Refused
from runtime.sandbox.timing import duration_s, mean_rate

_THUMBNAIL_AT_S = 1.0
_SHORT_SHARE = 0.95
_SHORT_SLACK_S = 0.5
_WAVEFORM_HEIGHT_PX = 160
_WAVEFORM_INK = (70, 110, 200)
_WAVEFORM_PAPER = (245, 246, 250)


def examine(source: int, writes: list[int], parameters: dict[str, Any]) -> dict[str, Any]:
    """Facts of the whole decoded file, as VideoFacts or AudioFacts want them.

    Parameters: demuxer, container (name for the facts), max_side_px, max_duration_s,
    thumbnail_px. With an output, a JPEG is written to it: a picture of the video or the waveform.
    """
    demuxer = parameters["demuxer"]
    refuse_truncated(source, demuxer)
    sketch = _Sketch()
    drawing = bool(writes)
    seen = decode_all(
        source,
        demuxer,
        bounds_of(parameters),
        on_video=sketch.see if drawing else None,
        on_audio=sketch.hear if drawing else None,
    )
    facts = _video_facts(seen) if seen.video else _audio_facts(seen)
    for output in writes:
        save_thumbnail(sketch.drawn(parameters["thumbnail_px"]), output, parameters["thumbnail_px"])
    return {**facts, "container": parameters["container"]}


def _video_facts(seen: Decoded) -> dict[str, Any]:
    track = seen.video
    if track is None or track.frames == 0:
        raise Refused("file_undecodable", "no picture could be decoded")
    _refuse_damaged("video", track)
    rate = mean_rate(track.pts, track.time_base, track.container_rate) or Fraction(1)
    length_s = duration_s(track.pts, track.time_base, track.last_duration, rate)
    if length_s <= 0:
        length_s = float(track.frames / rate)
    _refuse_short("video", length_s, seen.declared_video_s)
    width, height = upright_size(track)
    return {
        "kind": "video",
        "width_px": width,
        "height_px": height,
        "fps_num": rate.numerator,
        "fps_den": rate.denominator,
        "frames": track.frames,
        "duration_s": length_s,
        "codec": track.codec,
        "has_audio": seen.audio is not None and seen.audio.samples > 0,
    }


def _audio_facts(seen: Decoded) -> dict[str, Any]:
    track = seen.audio
    if track is None:
        raise Refused("file_undecodable", "neither picture nor sound was found")
    _refuse_damaged("audio", track)
    if track.samples == 0 or track.sample_rate_hz <= 0:
        raise Refused("file_empty", "the sound has no samples")
    length_s = track.samples / track.sample_rate_hz
    if track.codec != "mp3":
        # An MP3 without an index only has a guessed length.
        _refuse_short("audio", length_s, seen.declared_audio_s)
    return {
        "kind": "audio",
        "sample_rate_hz": track.sample_rate_hz,
        "channels": track.channels,
        "duration_s": length_s,
        "codec": track.codec,
    }


def upright_size(track: VideoTrack) -> tuple[int, int]:
    """Width and height as shown: square pixels, after the rotation, in pixels."""
    width = max(1, round(track.width_px * track.pixel_aspect))
    if track.rotation % 180 == 0:
        return width, track.height_px
    return track.height_px, width


def _refuse_damaged(what: str, track: VideoTrack | AudioTrack) -> None:
    if track.damaged > max(2, track.frames // 100):
        raise Refused(
            "file_undecodable", f"{what}: {track.damaged} damaged parts, {track.frames} frames"
        )


def _refuse_short(what: str, length_s: float, declared_s: float | None) -> None:
    if declared_s is not None and length_s < declared_s * _SHORT_SHARE - _SHORT_SLACK_S:
        raise Refused(
            "file_undecodable", f"{what}: {length_s:.2f} s decoded of {declared_s:.2f} s declared"
        )


class _Sketch:
    """Gathers what a thumbnail needs while everything is decoded once."""

    def __init__(self) -> None:
        self._picture: Image.Image | None = None
        self._picked = False
        self._peaks: list[float] = []

    def see(self, frame: VideoFrame) -> None:
        late = frame.time is not None and frame.time >= _THUMBNAIL_AT_S
        if self._picture is None or (late and not self._picked):
            self._picked = late
            picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
            self._picture = picture.rotate(frame.rotation, expand=True)

    def hear(self, frame: AudioFrame) -> None:
        data = frame.to_ndarray()
        if data.size == 0:
            return
        if data.dtype == np.uint8:
            level = float(np.abs(data.astype(np.int16) - 128).max()) / 128
        elif np.issubdtype(data.dtype, np.integer):
            full = float(1 << (8 * data.dtype.itemsize - 1))
            level = float(np.abs(data.astype(np.float64)).max()) / full
        else:
            level = float(np.nan_to_num(np.abs(data)).max())
        self._peaks.append(min(1.0, level))

    def drawn(self, width_px: int) -> Image.Image:
        return self._picture if self._picture is not None else _waveform(self._peaks, width_px)


def _waveform(peaks: list[float], width_px: int) -> Image.Image:
    image = Image.new("RGB", (width_px, _WAVEFORM_HEIGHT_PX), _WAVEFORM_PAPER)
    draw = ImageDraw.Draw(image)
    middle = _WAVEFORM_HEIGHT_PX // 2
    for x in range(width_px):
        low = x * len(peaks) // width_px
        high = max(low + 1, (x + 1) * len(peaks) // width_px)
        level = max(peaks[low:high], default=0.0)
        reach = max(1, round(level * (middle - 4)))
        draw.line([(x, middle - reach), (x, middle + reach)], fill=_WAVEFORM_INK)
    return image
