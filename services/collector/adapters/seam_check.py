"""Compares every seam of a job's segments; a wrong one is a fault of the results.

Must not decide what a fault is: seams does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.collector.adapters.greyscale import grey_frames
from services.collector.faults import invalid
from services.collector.joining import Source
from services.collector.seams import REACH, seam_fault


async def check_seams(
    segments: Sequence[Source], overlaps: Sequence[Source], folder: Path, deadline_s: float
) -> None:
    """Compare each overlap with the end of the segment before. Raises ResultFault at a seam where
    frames are left out or shown twice."""
    by_step = {segment.order.step: segment for segment in segments}
    work = folder / "seam.raw"
    for overlap in overlaps:
        step = overlap.order.step
        before = by_step.get(step - 1)
        if before is None:
            raise invalid(f"step {step} goes on from a step that made no video", step)
        wanted = overlap.facts.frames + REACH
        last = await grey_frames(before.path, before.facts, wanted, work, deadline_s)
        again = await grey_frames(
            overlap.path, overlap.facts, overlap.facts.frames, work, deadline_s
        )
        fault = seam_fault(last, again)
        if fault is not None:
            raise invalid(f"step {step}: {fault}", step)
