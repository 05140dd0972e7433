"""Makes the joined video of a job's ComfyUI steps, and its pose preview.

Owns the order of the work: prove, measure, compare the seams, join. Must not store anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.plan import Frame
from runtime.probe import ShownPictures
from runtime.tasks import end, side_by_side
from runtime.telemetry import span
from services.collector.adapters.intake import copy_proved
from services.collector.adapters.proving import prove_others
from services.collector.adapters.seam_check import check_seams
from services.collector.joining import Source
from services.collector.ordering import (
    SegmentOrder,
    delivered_segments,
    overlap_segments,
    pose_preview_segments,
)
from services.collector.rendering import Bench, Rendered, render
from services.collector.segments import decoded, surveyed
from services.collector.work import Work

Judge = Callable[[Path, SegmentOrder, Frame | None], Awaitable[Source]]


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
        copied = {order.output.file.key for order in (*made_of, *posed_of, *overlap_of)}
        made_from, posed_from, overlaps, _ = await side_by_side(
            _sources(work, made_of, frame, "clip", surveyed),
            _sources(work, posed_of, None, "pose_preview", surveyed),
            _sources(work, overlap_of, frame, "overlap", decoded),
            prove_others(plan, report, copied, work.media),
        )
    with span("collector.seams", seams=len(overlaps)):
        await check_seams(made_from, overlaps, work.folder, work.deadline_s)
    posing = asyncio.create_task(_pose_preview(work, posed_from))
    try:
        bench = Bench(work.folder / "clip", work.deadline_s, shown)
        video = await render(made_from, soundtrack, frame, "video", bench)
        return Clip(video, await posing)
    finally:
        await end([posing])


async def _pose_preview(work: Work, sources: Sequence[Source]) -> Rendered | None:
    if not sources:
        return None
    bench = Bench(work.folder / "pose_preview", work.deadline_s)
    return await render(sources, None, _pose_frame(sources), "pose_preview", bench)


async def _sources(
    work: Work, orders: Sequence[SegmentOrder], frame: Frame | None, name: str, judge: Judge
) -> list[Source]:
    folder = work.folder / name
    await asyncio.to_thread(folder.mkdir)
    sources = []
    for order in orders:
        path = folder / f"segment-{order.step:04d}.mp4"
        await copy_proved(work.media, order.output.file, path, order.step)
        sources.append(await judge(path, order, frame))
    return sources


def _pose_frame(sources: Sequence[Source]) -> Frame:
    first = sources[0].facts
    return Frame(
        width_px=first.width_px,
        height_px=first.height_px,
        fps=max(1, round(first.mean_rate or 1)),
        frames=sum(source.order.take_frames for source in sources),
    )
