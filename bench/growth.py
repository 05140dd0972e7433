"""How cost grows: with the jobs that there are, with viewers, and with the length of a video.

Three sizes each, by the measurements that also give the single figures. Judges nothing.
"""

from __future__ import annotations

from pathlib import Path

from bench import crowd, shelf, speed
from bench.figures import Finding, Series
from bench.stage import Stage, staged

LENGTHS = ((30, 0), (150, 0), (340, 3))
"""Frames of the driving video, and how many segments may follow the first: about 2, 5 and 14 s."""


async def growth(folder: Path, jobs: tuple[int, ...], viewers: tuple[int, ...]) -> list[Finding]:
    """One line for each kind of growth."""
    folder.mkdir()
    listed = [await shelf.on_sqlite(folder / f"listed-{count}", count) for count in jobs]
    with staged(folder / "small") as stage:
        crowds = [await crowd.viewers(stage, count) for count in viewers]
    with staged(folder / "large", size=None) as stage:
        lengths = [await _length(stage, frames, more) for frames, more in LENGTHS]
    return [
        _line("a page of jobs (SQLite, over HTTP)", [f"{n:,} jobs" for n in jobs], listed),
        _line("an event until a viewer sees it", [f"{n:,} viewers" for n in viewers], crowds),
        _line("engine done → completed", [name for name, _ in lengths], [f for _, f in lengths]),
    ]


async def _length(stage: Stage, frames: int, more: int) -> tuple[str, Finding]:
    found = await speed.verification(stage, 3, driving_frames=frames, more_segments=more)
    return f"{found.extra['frames']} frames", found


def _line(what: str, sizes: list[str], found: list[Finding]) -> Finding:
    first = [one.series[0] for one in found]
    told = ", ".join(
        f"{size}: p50 {one.at(50):.1f}, p99 {one.at(99):.1f} {one.unit}"
        for size, one in zip(sizes, first, strict=True)
    )
    named = tuple(
        Series(size, one.unit, one.values) for size, one in zip(sizes, first, strict=True)
    )
    return Finding(f"growth: {what}", "–", named, None, told)
