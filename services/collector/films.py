"""Carries out a render order: from pictures or the joined clip to the delivered video.

Owns what is filmed and which frames are kept. Must not store anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contracts.base import StoredFile
from contracts.plan import RenderOrder
from runtime.delivery_facts import ShownPictures
from runtime.telemetry import span
from services.collector.adapters.gathering import Gathered, gather
from services.collector.adapters.proving import prove_others, read_index
from services.collector.clips import make_clip
from services.collector.faults import invalid
from services.collector.filming import Take
from services.collector.ordering import pictures_output
from services.collector.rendering import Bench, Rendered, clip_frames, film
from services.collector.work import Work


@dataclass(frozen=True, slots=True)
class Film:
    """The rendered video, verified, the frames to keep in order, and the clip's pose preview."""

    video: Rendered
    kept: tuple[Path, ...] = ()
    pose_preview: Rendered | None = None


async def make_film(
    work: Work, order: RenderOrder, soundtrack: Path | None, shown: ShownPictures
) -> Film:
    """The video of a render order, and its pictures. A GIF has no sound, whatever the soundtrack.

    Raises ResultFault when what it is made of is absent or not as ordered, OSError when storage
    is away.
    """
    sound = None if order.config.container == "gif" else soundtrack
    if order.source == "clip":
        return await _of_clip(work, order, sound, shown)
    gathered = await _pictures(work, order)
    bench = Bench(work.folder, work.deadline_s, shown)
    video = await _filmed(work, order, gathered.take, len(gathered.pictures), sound, bench)
    return Film(video, gathered.pictures if order.config.keep_frames else ())


async def _pictures(work: Work, order: RenderOrder) -> Gathered:
    plan, frame = work.job.plan, work.job.plan.delivery.frame
    with span("collector.intake"):
        pictures, copied = order.pictures, set[str]()
        if order.from_step is not None:
            file = pictures_output(plan, work.job.report, order.from_step)
            pictures = (await read_index(plan, file, order.from_step, work.media)).pictures
            copied = {file.key, *(picture.key for picture in pictures)}
        await prove_others(plan, work.job.report, copied, work.media)
        _refuse_count(order, pictures, frame.frames)
        return await gather(pictures, frame, work.media, work.folder / "pictures", order.from_step)


def _refuse_count(order: RenderOrder, pictures: tuple[StoredFile, ...], frames: int) -> None:
    fits = len(pictures) == frames if order.source == "frames" else 0 < len(pictures) <= frames
    if not fits:
        raise invalid(
            f"{len(pictures)} {order.source} cannot make a video of {frames} frames",
            order.from_step,
        )


async def _of_clip(
    work: Work, order: RenderOrder, sound: Path | None, shown: ShownPictures
) -> Film:
    clip = await make_clip(work, None)
    frames = work.job.plan.delivery.frame.frames
    bench = Bench(work.folder, work.deadline_s, shown)
    take = Take(clip.video.path, numbered=False)
    video = await _filmed(work, order, take, 1, sound, bench)
    kept: tuple[Path, ...] = ()
    if order.config.keep_frames:
        kept = await clip_frames(clip.video.path, work.folder / "kept", frames, work.deadline_s)
    return Film(video, kept, clip.pose_preview)


async def _filmed(
    work: Work, order: RenderOrder, take: Take, pictures: int, sound: Path | None, bench: Bench
) -> Rendered:
    frame = work.job.plan.delivery.frame
    config = order.config
    if order.source != "stills":
        config = config.model_copy(update={"camera_motion": "none"})
    return await film(take, pictures, config, sound, frame, bench, _share_of(frame.frames, work))


def _share_of(frames: int, work: Work) -> Callable[[int], None]:
    return lambda done: work.tell(min(1.0, done / frames))
