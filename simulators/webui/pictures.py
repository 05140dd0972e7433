"""Draws, encodes and reads the simulator's pictures.

Owns what is on a frame: a grid of twelve black and white blocks in the middle that gives its
number (most significant first), a ground that follows what was asked for, and the word
SIMULATED in a band along the lower edge. It knows no protocol.
"""

import base64
import binascii
import hashlib
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageDraw, ImageFont

Frame = npt.NDArray[np.uint8]
Encoding = Literal["png", "jpg", "webp"]
MARK = "SIMULATED"
COLUMNS, ROWS = 4, 3
_GRID_SHARE, _DARK, _BRIGHT = 0.5, 16, 235


def drawn(
    number: int,
    width: int,
    height: int,
    signature: str,
    init: Frame | None = None,
    strength: float = 1.0,
) -> Frame:
    """A frame (height, width, 3) that shows `number` (0..4095).

    The ground is a colour that follows `signature`, mixed with the `init` picture by
    `strength`; a small square moves with the number.
    """
    colour = np.frombuffer(hashlib.sha256(signature.encode()).digest()[:3], np.uint8)
    ground = np.empty((height, width, 3), np.float32)
    ground[:] = colour // 2 + 40
    if init is not None:
        ground = scaled(init, width, height) * (1 - strength) + ground * strength
    frame = ground.astype(np.uint8)
    side = max(2, height // 16)
    left = (number * side) % max(1, width - side)
    frame[side : 2 * side, left : left + side] = 255 - frame[side, left]
    _draw_number(frame, number)
    return marked(frame)


def _draw_number(frame: Frame, number: int) -> None:
    height, width = frame.shape[:2]
    side = _GRID_SHARE * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    for bit in range(COLUMNS * ROWS):
        row, column = divmod(bit, COLUMNS)
        x0, x1 = round(left + side * column / COLUMNS), round(left + side * (column + 1) / COLUMNS)
        y0, y1 = round(top + side * row / ROWS), round(top + side * (row + 1) / ROWS)
        shown = number >> (COLUMNS * ROWS - 1 - bit) & 1
        frame[y0:y1, x0:x1] = _BRIGHT if shown else _DARK


@lru_cache(maxsize=32)
def _band(width: int, rows: int) -> Frame:
    font = ImageFont.load_default(size=32)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(MARK))
    word = Image.new("RGB", (right - left + 8, bottom - top + 8), (0, 0, 0))
    ImageDraw.Draw(word).text((4 - left, 4 - top), MARK, fill=(255, 220, 0), font=font)
    fit = min(width / word.width, rows / word.height)
    size = (max(1, round(word.width * fit)), max(1, round(word.height * fit)))
    band = Image.new("RGB", (width, rows), (0, 0, 0))
    band.paste(word.resize(size, Image.Resampling.LANCZOS), ((width - size[0]) // 2, 0))
    return np.asarray(band)


def marked(frame: Frame) -> Frame:
    """The frame with the word SIMULATED along its lower edge."""
    height, width = frame.shape[:2]
    rows = min(height, max(10, height // 10))
    out = frame.copy()
    out[height - rows :] = _band(width, rows)
    return out


def scaled(frame: Frame, width: int, height: int) -> Frame:
    """The frame stretched to a size."""
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR))


def grid(frames: Sequence[Frame]) -> Frame:
    """All frames side by side in one picture."""
    return np.concatenate(list(frames), axis=1)


def encoded(frame: Frame, encoding: Encoding = "png") -> bytes:
    """The frame as PNG, JPEG or WebP."""
    out = io.BytesIO()
    name = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[encoding]
    options = {"compress_level": 1} if encoding == "png" else {"quality": 95}
    Image.fromarray(frame).save(out, format=name, **options)
    return out.getvalue()


def from_base64(text: str) -> Image.Image:
    """The picture in bare base64 or a data URL. Raises ValueError."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
        picture.load()
    except (binascii.Error, OSError) as error:
        raise ValueError("Invalid encoded image") from error
    return picture


def read(path: Path) -> Frame:
    """The picture file as a frame. Raises OSError."""
    return np.asarray(Image.open(path).convert("RGB"))


def rgb(picture: Image.Image) -> Frame:
    """The picture as a frame."""
    return np.asarray(picture.convert("RGB"))


def animation(frames: Sequence[Frame], fps: int, kind: Literal["GIF", "WEBP"]) -> bytes:
    """The frames as an animated GIF or WebP."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    out = io.BytesIO()
    duration_ms = round(1000 / fps)
    first.save(out, format=kind, save_all=True, append_images=others, duration=duration_ms, loop=0)
    return out.getvalue()


def movie(frames: Sequence[Frame], fps: int, kind: Literal["MP4", "WEBM"]) -> bytes:
    """The frames as H.264 in MP4 or VP9 in WebM; sides are even."""
    out = io.BytesIO()
    height, width = frames[0].shape[:2]
    with av.open(out, "w", format=kind.lower()) as container:
        stream = container.add_stream("libx264" if kind == "MP4" else "libvpx-vp9", rate=fps)
        if not isinstance(stream, VideoStream):
            raise TypeError("the encoder makes no video")
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        for frame in frames:
            cut = np.ascontiguousarray(frame[: stream.height, : stream.width])
            container.mux(stream.encode(VideoFrame.from_ndarray(cut, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()
