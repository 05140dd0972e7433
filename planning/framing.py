"""Framing: which part of the character image a framing mode shows.

A rule of geometry, no detection: it takes the upper part, where a standing person's head is. A
crop that the user draws always wins. Must not open a picture.
"""

from __future__ import annotations

from contracts.media import CropBox, ImageFacts
from contracts.plan import Frame
from planning.assets import MIN_IMAGE_SIDE_PX
from planning.requests import FramingMode

SHARE: dict[FramingMode, float] = {"portrait": 0.6, "half_body": 0.8, "full_body": 1.0}
"""How much of the largest fitting rectangle's height a framing keeps."""


def framing_crop(framing: FramingMode, facts: ImageFacts, frame: Frame) -> CropBox | None:
    """A rectangle of the frame's aspect at the top of the image, centred across; None when all of
    the image is shown or what is left would be too small."""
    share = SHARE[framing]
    if share == 1.0:
        return None
    aspect = frame.width_px / frame.height_px
    height_px = int(min(facts.height_px, facts.width_px / aspect) * share)
    width_px = min(facts.width_px, round(height_px * aspect))
    if min(width_px, height_px) < MIN_IMAGE_SIDE_PX:
        return None
    left_px = (facts.width_px - width_px) // 2
    return CropBox(x_px=left_px, y_px=0, width_px=width_px, height_px=height_px)
