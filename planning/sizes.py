"""Picture sizes: which one a profile and an aspect ratio mean.

Must not know what is rendered into it.
"""

from __future__ import annotations

from contracts.plan import AspectRatio
from planning.workflow import Profile

SIZE_STEP_PX = 16
"""Sizes lie on this grid: latents are an eighth and are cut in patches of two."""


def size_of(
    profile: Profile, aspect_ratio: str, override_px: tuple[int, int] | None = None
) -> tuple[AspectRatio, int, int] | None:
    """The aspect ratio with (width, height) in pixels, or None when the profile lacks it.

    An override replaces the size, not the check: an unknown aspect ratio stays unknown.
    """
    for aspect, (width_px, height_px) in profile.sizes.items():
        if aspect == aspect_ratio:
            return (aspect, *(override_px or (width_px, height_px)))
    return None
