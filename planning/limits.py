"""What an operator may limit or override in planning.

Must not read the environment: the gateway's settings fill it.
"""

from __future__ import annotations

import re

from pydantic import Field

from contracts.base import Contract

_SIZE = re.compile(r"([1-9]\d{1,3})x([1-9]\d{1,3})")


class PlanLimits(Contract):
    """Limits of a request. `size_override_px` replaces every picture size (width, height): it is
    meant for tests and quick demonstrations, and each side must be a multiple of 16."""

    max_prompt_characters: int = Field(default=2000, gt=0)
    max_reference_images: int = Field(default=8, ge=0)
    max_pose_sheets: int = Field(default=8, ge=0)
    max_key_poses: int = Field(default=8, ge=0)
    size_override_px: tuple[int, int] | None = None


def parse_size(text: str) -> tuple[int, int]:
    """The size in a text like "96x96", width first, in pixels.

    Raises ValueError for another form, a side below 64, or one that is no multiple of 16 (the
    engine would round it down silently).
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size like 96x96")
    width_px, height_px = int(match[1]), int(match[2])
    if width_px % 16 or height_px % 16 or min(width_px, height_px) < 64:
        raise ValueError(f"{text!r}: both sides must be multiples of 16, at least 64")
    return width_px, height_px
