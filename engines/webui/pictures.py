"""Pictures as they go to and come from the server.

Owns what a picture is (its bytes say so, never a name or an option) and the one form in which
we send them: RGB PNG. Everything decoded here is hostile: three formats, bounded sizes.
"""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from .errors import UnfitSettings

MOST_SIDE_PX = 8192
_FORMATS = ("PNG", "JPEG", "WEBP")
MediaType = Literal["image/png", "image/jpeg", "image/webp"]
_MEDIA_TYPES: dict[str, MediaType] = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A still that was decoded once: its file as it came, what it is, and its size."""

    data: bytes
    media_type: MediaType
    width_px: int
    height_px: int


def read_picture(data: bytes) -> Picture:
    """The picture in a file, decoded to its last row to prove it.

    Raises ValueError for anything that is no whole PNG, JPEG or WebP still.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if max(image.size) > MOST_SIDE_PX:
                raise ValueError(f"a picture of {image.width}x{image.height} is too large")
            if getattr(image, "n_frames", 1) != 1:
                raise ValueError("an animation where a still was expected")
            image.load()
            media_type = _MEDIA_TYPES[str(image.format)]
            return Picture(data, media_type, image.width, image.height)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable picture: {error}") from error


def from_base64(text: object) -> Picture:
    """The picture in bare base64 or a data URL. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("no base64 text")  # noqa: TRY004 - one error for every unfit item
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return read_picture(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


def rgb_png(data: bytes) -> bytes:
    """A picture file as RGB PNG: AnimateDiff silently ignores a last frame of another mode.

    Raises UnfitSettings for what is no picture.
    """
    try:
        read_picture(data)
    except ValueError as error:
        raise UnfitSettings(f"the picture cannot be read: {error}") from error
    out = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.convert("RGB").save(out, format="PNG")
    return out.getvalue()


def as_base64(data: bytes) -> str:
    """Bare base64, as the server takes and gives it."""
    return base64.b64encode(data).decode("ascii")
