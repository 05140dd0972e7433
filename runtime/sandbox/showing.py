"""The pictures beside a delivered video, taken while it is decoded for its measure.

Owns how they are coded; which frames they show is ordered by the parameters. Must not open files.
"""

from __future__ import annotations

import io
import os
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image

_JPEG = {"quality": 92, "subsampling": "4:2:0"}
_WEBP = {"quality": 60, "method": 2, "loop": 0}
_KEY_PICTURES = {"kmin": 5, "kmax": 6}
"""Every sixth picture is a key picture. Between two of them what hardly changed is not drawn again:
with fewer a slow fade falls behind, with more each costs time and bytes."""


class Showing:
    """Gathers the pictures: `see` every frame in order, then `write` first, poster and preview.

    The preview is coded in a thread of its own as soon as its last picture was seen: what is left
    of the video is decoded meanwhile.
    """

    def __init__(self, wanted: dict[str, Any]) -> None:
        """Nothing seen yet. `wanted` has the fields of runtime.delivery_facts.WantedPictures."""
        self._wanted = wanted
        self._seen = 0
        self._first: Image.Image | None = None
        self._poster: Image.Image | None = None
        self._preview: list[Image.Image] = []
        self._small = _Small(wanted["width_px"], wanted["height_px"])
        self._beside = ThreadPoolExecutor(1)
        self._coded: Future[bytes] | None = None

    def see(self, frame: VideoFrame) -> None:
        """Take what is wanted of the next frame."""
        number, wanted = self._seen, self._wanted
        self._seen += 1
        if number == 0:
            self._first = _image(frame)
        if number == wanted["poster"]:
            self._poster = _image(frame)
        if number < wanted["span_frames"] and number % wanted["stride"] == 0:
            self._preview.append(self._small.image(frame))
            if number + wanted["stride"] >= wanted["span_frames"]:
                self._coded = self._beside.submit(_animated, self._preview, wanted["fps"])

    def write(self, writes: list[int]) -> None:
        """Write first frame (JPEG), poster (JPEG) and preview (animated WebP) to descriptors.

        Nothing is written where the video had too few frames for one: its measure tells that.
        """
        if self._first is None or self._poster is None:
            return
        first, poster, preview = writes
        _save(self._first, first)
        _save(self._poster, poster)
        coded = self._coded or self._beside.submit(_animated, self._preview, self._wanted["fps"])
        with os.fdopen(preview, "wb") as sink:
            sink.write(coded.result())


class _Small:
    """Scales frames; every frame anew with the tables that the first one needed."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._width_px, self._height_px = width_px, height_px
        self._scaler, self._painter = VideoReformatter(), VideoReformatter()

    def image(self, frame: VideoFrame) -> Image.Image:
        # Scaled in its own colours first: RGB of the full size would be twice the work.
        small = self._scaler.reformat(
            frame, self._width_px, self._height_px, interpolation="AREA", threads=1
        )
        return _image(self._painter.reformat(small, format="rgb24", threads=1))


def _animated(pictures: list[Image.Image], fps: float) -> bytes:
    start, *rest = pictures
    coded = io.BytesIO()
    more: dict[str, Any] = {}
    if rest:
        shown_ms = _durations_ms(len(pictures), fps)
        more = {"save_all": True, "append_images": rest, "duration": shown_ms, **_KEY_PICTURES}
    start.save(coded, "WEBP", **_WEBP, **more)
    return coded.getvalue()


def _durations_ms(pictures: int, fps: float) -> list[int]:
    # Whole milliseconds that add up: each picture ends where rounding puts the next.
    ends = [round(1000 * n / fps) for n in range(pictures + 1)]
    return [after - before for before, after in pairwise(ends)]


def _image(frame: VideoFrame) -> Image.Image:
    picture: Image.Image = frame.to_image(threads=1)  # type: ignore[no-untyped-call]
    return picture


def _save(picture: Image.Image, target: int) -> None:
    with os.fdopen(target, "wb") as sink:
        picture.save(sink, "JPEG", **_JPEG)
