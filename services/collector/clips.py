"""Makes the joined video of a job's ComfyUI steps, and its pose preview.

Owns the order of the work: prove, measure, join, compare the seams; and which way a video takes:
copied in one child where that gives it, else measured and rendered by FFmpeg. Must not store
anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.plan import Frame
from runtime.delivery_facts import ShownPictures
from runtime.tasks import end, side_by_side
from runtime.telemetry import span
from services.collector.adapters.intake import copy_proved
from services.collector.adapters.proving import prove_others
from services.collector.adapters.seam_check import check_seams
from services.collector.copying import Segment, copied
from services.collector.joining import Source, joined_frame
from services.collector.ordering import (
    SegmentOrder,
    delivered_segments,
    overlap_segments,
    pose_preview_segments,
)
from services.collector.rendering import Bench, Rendered, render
from services.collector.segments import decoded, surveyed
from services.collector.work import Work


@dataclass(frozen=True, slots=True)
class Clip:
    """The joined video and the pose preview, both verified."""

    video: Rendered
    pose_preview: Rendered | None


async def make_clip(
    work: Work, soundtrack: Path | None, shown: ShownPictures | None = None
) -> Clip:
    """Join the segments under the soundtrack; the pictures of `shown` are taken of the clip.

    Raises ResultFault when the results are absent or not as ordered, OSError when storage is away.
    """
    plan, report = work.job.plan, work.job.report
    made_of = delivered_segments(plan, report)
    posed_of = pose_preview_segments(plan, report)
    overlap_of = overlap_segments(plan, report)
    frame = plan.delivery.frame
    with span("collector.intake"):
        used = {order.output.file.key for order in (*made_of, *posed_of, *overlap_of)}
        made, posed, overlaps, _ = await side_by_side(
            _brought(work, made_of, "clip"),
            _brought(work, posed_of, "pose_preview"),
            _overlaps(work, overlap_of, frame),
            prove_others(plan, report, used, work.media),
        )
    posing = asyncio.create_task(_pose_preview(work, posed))
    try:
        bench = Bench(work.folder / "clip", work.deadline_s, shown)
        video = await _video(work, made, overlaps, soundtrack, bench)
        return Clip(video, await posing)
    finally:
        await end([posing])


async def _video(
    work: Work,
    segments: Sequence[Segment],
    overlaps: Sequence[Source],
    soundtrack: Path | None,
    bench: Bench,
) -> Rendered:
    frame = work.job.plan.delivery.frame
    copy = None if soundtrack else await copied(segments, frame, "video", bench)
    sources = copy.sources if copy else await _surveyed(segments, frame)
    with span("collector.seams", seams=len(overlaps)):
        await check_seams(sources, overlaps, work.folder, work.deadline_s)
    return copy.video if copy else await render(sources, soundtrack, frame, "video", bench)


async def _pose_preview(work: Work, segments: Sequence[Segment]) -> Rendered | None:
    if not segments:
        return None
    bench = Bench(work.folder / "pose_preview", work.deadline_s)
    # One thread: the video, of which pictures are made too, is done later anyhow.
    copy = await copied(segments, None, "pose_preview", bench, threads=1)
    if copy:
        return copy.video
    sources = await _surveyed(segments, None)
    return await render(sources, None, joined_frame(sources), "pose_preview", bench)


async def _brought(work: Work, orders: Sequence[SegmentOrder], name: str) -> list[Segment]:
    folder = work.folder / name
    await asyncio.to_thread(folder.mkdir)
    segments = []
    for order in orders:
        path = folder / f"segment-{order.step:04d}.mp4"
        await copy_proved(work.media, order.output.file, path, order.step)
        segments.append(Segment(path, order))
    return segments


async def _overlaps(work: Work, orders: Sequence[SegmentOrder], frame: Frame) -> list[Source]:
    brought = await _brought(work, orders, "overlap")
    return [await decoded(segment.path, segment.order, frame) for segment in brought]


async def _surveyed(segments: Sequence[Segment], frame: Frame | None) -> list[Source]:
    return [await surveyed(segment.path, segment.order, frame) for segment in segments]
