"""From presentation times to a rate: exact where frames are evenly spaced, else the mean.

Pure. Times are integers in units of a time base in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

_FAMILIES = (24, 30, 48, 60, 120)
_NTSC = tuple(Fraction(rate * 1000, 1001) for rate in _FAMILIES)
_STANDARD = (*(Fraction(rate) for rate in range(1, 241)), *_NTSC)
_SNAP = Fraction(3, 10_000)


def even_rate(pts: Sequence[int], time_base: Fraction) -> Fraction | None:
    """The exact rate when all frames are equally far apart, else None (also for one frame)."""
    gaps = {after - before for before, after in pairwise(pts)}
    if len(gaps) != 1:
        return None
    gap = gaps.pop()
    return 1 / (gap * time_base) if gap > 0 else None


def on_time(pts: Sequence[int], time_base: Fraction, rate: Fraction) -> bool:
    """Whether every frame lies within one tick of its place at this rate.

    The ticks of WebM (1 ms) and GIF (10 ms) are too coarse for most rates to be even.
    """
    places = (frame / (rate * time_base) for frame in range(len(pts)))
    return all(abs(at - place) < 1 for at, place in zip(pts, places, strict=True))


def mean_rate(
    pts: Sequence[int], time_base: Fraction, declared: Fraction | None
) -> Fraction | None:
    """The measured rate, snapped to a standard one it can hardly be told from.

    A container with coarse times (WebM: milliseconds) shows 29.97 only on the average. With fewer
    than two frames, the declared rate.
    """
    if len(pts) < 2 or pts[-1] <= pts[0]:
        return declared if declared else None
    rate = Fraction(len(pts) - 1) / ((pts[-1] - pts[0]) * time_base)
    candidates = (*_STANDARD, declared) if declared else _STANDARD
    nearest = min(candidates, key=lambda c: abs(c - rate))
    return nearest if abs(nearest - rate) <= rate * _SNAP else rate.limit_denominator(1001)


def whole_rate(rate: Fraction | None) -> int:
    """The whole number of frames a second nearest to a rate; at least 1, also for an unknown one.

    What is made anew of a video comes at this rate: orders know no other.
    """
    return max(1, round(rate)) if rate else 1


def duration_s(
    pts: Sequence[int], time_base: Fraction, last_duration: int, rate: Fraction
) -> float:
    """Seconds from the first picture to the end of the last one."""
    last = last_duration * time_base if last_duration > 0 else 1 / rate
    return float((pts[-1] - pts[0]) * time_base + last) if pts else 0.0
