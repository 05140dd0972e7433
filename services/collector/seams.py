"""Whether a segment goes on where the one before ended: no frame shown twice, none left out.

Pure: small grey pictures in, a fault out. A further segment saves the frames before its own
again, from the same decoding (the overlap). These must be the last frames of the segment before;
where they fit another place clearly better, the segment began at the wrong frame. A change of
scene at the seam is no fault: both show it at the same frame. Must not open a file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
"""Frames × rows × columns; each value the mean of a block of BLOCK_PX × BLOCK_PX pixels."""

BLOCK_PX = 8
REACH = 4
"""How many frames off a segment may be and still be recognised."""
CLEARLY = 1.6
CODING_NOISE = 0.4
"""Mean difference, of 255, that coding alone makes."""


def seam_fault(before: Grey, overlap: Grey) -> str | None:
    """What is wrong between the last frames of a segment and the overlap of the next, or None.

    `before` holds at least REACH more frames than `overlap`. The overlap is compared with every
    place up to REACH frames off; brightness is taken out, because segments may differ in it.
    """
    last, kept = _without_brightness(before), _without_brightness(overlap)
    count = len(kept)
    errors = {}
    for shift in range(-REACH, REACH + 1):
        first = len(last) - count + shift
        compared = min(count, len(last) - first)
        if first >= 0 and compared > 0:
            errors[shift] = float(np.abs(last[first : first + compared] - kept[:compared]).mean())
    best = min(errors, key=lambda shift: (errors[shift], abs(shift)))
    if best == 0 or errors[0] <= CLEARLY * errors[best] + CODING_NOISE:
        return None
    what = "are left out" if best > 0 else "are shown twice"
    return (
        f"{abs(best)} frames {what} at the seam "
        f"(difference {errors[best]:.1f} there, {errors[0]:.1f} where it should fit)"
    )


def _without_brightness(frames: Grey) -> npt.NDArray[np.float32]:
    pictures = frames.astype(np.float32)
    centred: npt.NDArray[np.float32] = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    return centred
