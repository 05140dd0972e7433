"""The pictures that a decoded video leaves beside it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from runtime.delivery_facts import ShownPictures, WantedPictures, inspect_delivery
from tests.support.media import Size, counter_video, read_counter

SIZE, SMALL = Size(640, 368), Size(320, 184)
Pixels = NDArray[np.uint8]


def _files(folder: Path, poster: int, span_frames: int, stride: int = 2) -> ShownPictures:
    wanted = WantedPictures(poster, stride, span_frames, 16 / stride, SMALL.width, SMALL.height)
    return ShownPictures(wanted, folder / "f.jpg", folder / "p.jpg", folder / "v.webp")


def _preview(path: Path) -> list[tuple[Pixels, int]]:
    """The pictures and for how many milliseconds each is shown."""
    with Image.open(path) as preview:
        shown = []
        for number in range(getattr(preview, "n_frames", 1)):
            preview.seek(number)
            pixels = np.asarray(preview.convert("RGB"))
            shown.append((pixels, int(preview.info.get("duration", 0))))
        return shown


@pytest.mark.parametrize("span_frames", [30, 64], ids=["within", "longer_than_the_video"])
async def test_the_preview_shows_every_other_frame_of_its_span(
    tmp_path: Path, span_frames: int
) -> None:
    video = counter_video(tmp_path / "a.mp4", fps=Fraction(16), frames=49, size=SIZE)
    files = _files(tmp_path, 24, span_frames)
    await inspect_delivery(video, shown=files)
    shown = _preview(files.preview)
    expected = list(range(0, min(49, span_frames), 2))
    assert [read_counter(pixels[..., 0], SIZE) for pixels, _ in shown] == expected
    assert [shown_ms for _, shown_ms in shown] == [125] * len(expected)


async def test_one_frame_makes_a_preview_that_stands(tmp_path: Path) -> None:
    video = counter_video(
        tmp_path / "a.mp4", times=[Fraction(0)], fps=Fraction(16), frames=1, size=SIZE
    )
    files = _files(tmp_path, 0, 1)
    await inspect_delivery(video, shown=files)
    [(pixels, _)] = _preview(files.preview)
    assert pixels.shape == (SMALL.height, SMALL.width, 3)


def _ramp(size: Size) -> NDArray[np.float64]:
    rows, columns = np.mgrid[0 : size.height, 0 : size.width]
    red = 120 + 80 * np.sin(columns / 74 + rows / 100)
    green = 120 + 70 * np.cos(columns / 46 - rows / 62)
    return np.stack([red, green, 130 + 60 * np.sin(rows / 38)], -1)


def _film(path: Path, pictures: list[Pixels], colours: dict[str, str]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=16, options={"crf": "4", **colours})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = SIZE.width, SIZE.height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


async def test_a_slow_fade_does_not_fall_behind_in_the_preview(tmp_path: Path) -> None:
    fade = [(_ramp(SIZE) * (0.1 + 0.9 * n / 63)).astype(np.uint8) for n in range(64)]
    files = _files(tmp_path, 32, 64)
    await inspect_delivery(_film(tmp_path / "a.mp4", fade, {}), shown=files)
    at_ms, errors = 0, []
    for pixels, shown_ms in _preview(files.preview):
        for late_ms in range(0, shown_ms, 125):
            frame = fade[(at_ms + late_ms) // 125 * 2]
            small = np.asarray(Image.fromarray(frame).resize((SMALL.width, SMALL.height)))
            errors.append(float(np.abs(pixels.astype(int) - small).mean()))
        at_ms += shown_ms
    assert len(errors) == 32
    assert max(errors) < 18


@pytest.mark.parametrize("colours", [{}, {"color_range": "pc"}, {"colorspace": "bt709"}])
async def test_the_preview_has_the_colours_of_the_first_frame(
    tmp_path: Path, colours: dict[str, str]
) -> None:
    still = [_ramp(SIZE).astype(np.uint8)] * 4
    files = _files(tmp_path, 0, 4)
    await inspect_delivery(_film(tmp_path / "a.mp4", still, colours), shown=files)
    with Image.open(files.first_frame) as first:
        large = np.asarray(first).reshape(-1, 3).mean(axis=0)
    small = _preview(files.preview)[0][0].reshape(-1, 3).mean(axis=0)
    assert np.abs(large - small).max() < 2
