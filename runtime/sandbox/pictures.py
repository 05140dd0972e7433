"""Still images: fully decoded, upright, and remade without anything but their pixels.

Source of limits: facts/packages (Pillow only errors above twice its limit, so the warning is made
an error; that covers HEIC). Must not open files.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps

from runtime.sandbox.refusal import Refused

_FORMATS = ("PNG", "JPEG", "WEBP", "HEIF")
_UNSOUND = (OSError, SyntaxError, ValueError, EOFError, struct.error, RuntimeError, IndexError)
"""What Pillow and its codecs raise on damaged files."""
_PAPER = (255, 255, 255)


def preload() -> None:
    """Load every codec now: a confined child cannot."""
    pillow_heif.register_heif_opener()
    Image.init()
    ImageCms.createProfile("sRGB")
    sample = io.BytesIO()
    for name in ("PNG", "JPEG", "WEBP"):
        Image.new("RGB", (16, 16)).save(sample, name)


def examine(source: int, writes: list[int], parameters: dict[str, Any]) -> dict[str, Any]:
    """Facts of the image, upright: {kind, width_px, height_px, format}.

    Parameters: max_pixels, thumbnail_px. With an output, a JPEG thumbnail is written to it.
    """
    with _opened(source, parameters["max_pixels"]) as image:
        name = str(image.format)
        upright = _upright(image)
        for output in writes:
            save_thumbnail(upright, output, parameters["thumbnail_px"])
    width, height = upright.size
    return {"kind": "image", "width_px": width, "height_px": height, "format": name.lower()}


def make(source: int, writes: list[int], parameters: dict[str, Any]) -> dict[str, Any]:
    """Write a PNG: upright, cropped, scaled to cover width × height and cut to it from the centre.

    Parameters: max_pixels, width_px, height_px, crop [x, y, width, height] or None (pixels of the
    upright picture). Colours become sRGB, transparency becomes white, metadata are left out.
    """
    [output] = writes
    size = (int(parameters["width_px"]), int(parameters["height_px"]))
    with _opened(source, parameters["max_pixels"]) as image:
        picture = _plain(_upright(image))
        crop = parameters["crop"]
        if crop is not None:
            picture = picture.crop(_inside(crop, picture.size))
        picture = ImageOps.fit(picture, size, method=Image.Resampling.LANCZOS)
    with os.fdopen(output, "wb") as sink:
        Image.fromarray(np.asarray(picture)).save(sink, "PNG")
    return {"kind": "image", "width_px": size[0], "height_px": size[1], "format": "png"}


def save_thumbnail(image: Image.Image, output: int, longest_px: int) -> None:
    """Write a JPEG whose longer side is at most `longest_px`, with nothing but pixels in it."""
    small = _plain(image)
    small.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    with os.fdopen(output, "wb") as sink:
        Image.fromarray(np.asarray(small)).save(sink, "JPEG", quality=85)


def _opened(source: int, max_pixels: int) -> Image.Image:
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        image = Image.open(os.fdopen(source, "rb"), formats=_FORMATS)
        image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Refused("file_too_many_pixels", str(error)) from error
    except _UNSOUND as error:
        raise Refused("file_undecodable", f"{type(error).__name__}: {error}") from error
    return image


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (*_UNSOUND, TypeError, KeyError) as error:
        raise Refused("file_undecodable", f"EXIF: {type(error).__name__}: {error}") from error


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.float64) / 257.0
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "P" or "A" in image.mode or "transparency" in image.info:
        layered = image.convert("RGBA")
        flat = Image.new("RGBA", layered.size, (*_PAPER, 255))
        flat.alpha_composite(layered)
        return _srgb(flat.convert("RGB"), image.info.get("icc_profile"))
    return _srgb(image, image.info.get("icc_profile"))


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            mapped = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A profile that cannot be read, or is for another mode, changes no pixel.
            return image.convert("RGB")
        if mapped is not None:
            return mapped
    return image.convert("RGB")


def _inside(crop: list[int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x, y, width, height = crop
    if x < 0 or y < 0 or x + width > size[0] or y + height > size[1]:
        raise Refused("crop_outside_image", f"crop {crop} of a picture of {size[0]}x{size[1]}")
    return (x, y, x + width, y + height)
