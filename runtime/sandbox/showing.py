"""The pictures beside a delivered video, taken while it is decoded for its measure.

Owns how they are coded; which frames they show is ordered by the parameters. Must not open files.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

from av.video.frame import VideoFrame
from PIL import Image

_JPEG = {"quality": 92, "subsampling": "4:2:0"}
_WEBP = {"quality": 60, "method": 4, "loop": 0}


class Showing:
    """Gathers the pictures: `see` every frame in order, then `write` first, poster and preview."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        """Nothing seen yet. `wanted` has the fields of runtime.probe.WantedPictures."""
        self._wanted = wanted
        self._seen = 0
        self._first: Image.Image | None = None
        self._poster: Image.Image | None = None
        self._preview: list[Image.Image] = []

    def see(self, frame: VideoFrame) -> None:
        """Take what is wanted of the next frame."""
        number, wanted = self._seen, self._wanted
        self._seen += 1
        if number == 0:
            self._first = _image(frame)
        if number == wanted["poster"]:
            self._poster = _image(frame)
        if number < wanted["span_frames"] and number % wanted["stride"] == 0:
            size = {"width": wanted["width_px"], "height": wanted["height_px"]}
            self._preview.append(_image(frame, **size, interpolation="BICUBIC"))

    def write(self, writes: list[int]) -> None:
        """Write first frame (JPEG), poster (JPEG) and preview (animated WebP) to descriptors.

        Nothing is written where the video had too few frames for one: its measure tells that.
        """
        if self._first is None or self._poster is None:
            return
        first, poster, preview = writes
        _save(self._first, first, "JPEG", **_JPEG)
        _save(self._poster, poster, "JPEG", **_JPEG)
        start, *rest = self._preview
        shown_ms = self._durations_ms()
        if rest:
            _save(
                start,
                preview,
                "WEBP",
                save_all=True,
                append_images=rest,
                duration=shown_ms,
                **_WEBP,
            )
        else:
            _save(start, preview, "WEBP", **_WEBP)

    def _durations_ms(self) -> list[int]:
        # Whole milliseconds that add up: each picture ends where rounding puts the next.
        ends = [round(1000 * n / self._wanted["fps"]) for n in range(len(self._preview) + 1)]
        return [after - before for before, after in pairwise(ends)]


def _image(frame: VideoFrame, **scaled: Any) -> Image.Image:
    picture: Image.Image = frame.to_image(**scaled)  # type: ignore[no-untyped-call]
    return picture


def _save(picture: Image.Image, target: int, format_: str, **options: Any) -> None:
    with os.fdopen(target, "wb") as sink:
        picture.save(sink, format_, **options)
