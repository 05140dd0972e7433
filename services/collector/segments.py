"""Judges the segments of a job: as ordered, or a fault of the step that made them.

Owns how much of a segment must be looked at. What will be copied and decoded as a whole later is
only surveyed by its packets here; everything else is decoded. Must not change a segment.
"""

from __future__ import annotations

from pathlib import Path

from contracts.plan import Frame
from services.collector.adapters.inspection import measure_segment, survey_segment
from services.collector.faults import invalid
from services.collector.joining import Source, reason_to_encode
from services.collector.ordering import SegmentOrder
from services.collector.verification import segment_faults


async def surveyed(path: Path, order: SegmentOrder, frame: Frame | None) -> Source:
    """A segment that can be copied, by its packets; any other one decoded and found as ordered.

    A survey never refuses: what does not look right is decoded and judged by that. Raises
    ResultFault.
    """
    source = await survey_segment(path, order)
    if reason_to_encode([source]) is None and not segment_faults(source.facts, order, frame):
        return source
    return await decoded(path, order, frame)


async def decoded(path: Path, order: SegmentOrder, frame: Frame | None) -> Source:
    """A segment decoded whole and found as ordered. Raises ResultFault."""
    source = await measure_segment(path, order)
    faults = segment_faults(source.facts, order, frame)
    if faults:
        raise invalid(f"{order.output.file.key}: {'; '.join(faults)}", order.step)
    return source
