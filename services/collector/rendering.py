"""Makes one verified video: segments joined (copied when that is exact, coded anew when it is
not), or pictures filmed as a render stage orders.

Owns the order join → measure → compare; what is compared is in verification. Must not read or
write the media store.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from contracts.plan import Frame
from contracts.stages import VideoRenderStage
from runtime.delivery_facts import DeliveryFacts, ShownPictures
from runtime.ffmpeg import FfmpegFailed, run_ffmpeg
from runtime.telemetry import span
from services.collector.adapters.inspection import measure
from services.collector.faults import ResultFault, invalid
from services.collector.filming import Take, film_arguments, frames_arguments, palette_arguments
from services.collector.joining import (
    Source,
    deliver_arguments,
    encode_arguments,
    join_script,
    joined_files,
    one_file,
    picture_arguments,
    reason_to_encode,
)
from services.collector.segments import decoded
from services.collector.verification import delivery_faults

log = structlog.get_logger()

OnFrame = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A verified video, what it was measured to be, and how it was made. `recoded` is the reason
    why the pictures were coded anew, None when they are the engine's own."""

    path: Path
    facts: DeliveryFacts
    recoded: str | None


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a render does its work, how long one run of FFmpeg may take, and the pictures that
    are taken of what comes out."""

    folder: Path
    deadline_s: float
    shown: ShownPictures | None = None


async def render(
    sources: Sequence[Source], soundtrack: Path | None, frame: Frame, name: str, bench: Bench
) -> Rendered:
    """The segments joined over the soundtrack as `name`.mp4, verified against `frame`.

    Segments that look fit to be copied but do not give an exact video are decoded, and coded anew
    once. Raises ResultFault (result_invalid) when a segment is not as ordered or that is not exact
    either.
    """
    reason = reason_to_encode(sources)
    if reason is None:
        try:
            parts = await _copies(sources, frame, name, bench)
            return await _joined(parts, sources, soundtrack, frame, name, bench, None)
        except ResultFault as fault:
            reason = f"the copied pictures were refused: {fault.detail}"
            log.warning("video is coded anew", reason=reason)
        sources = [await decoded(source.path, source.order, frame) for source in sources]
    parts = [
        await _encoded(source, frame, f"{name}-{n}", bench) for n, source in enumerate(sources)
    ]
    return await _joined(parts, sources, soundtrack, frame, name, bench, reason)


async def film(
    take: Take,
    pictures: int,
    order: VideoRenderStage,
    sound: Path | None,
    frame: Frame,
    bench: Bench,
    on_frame: OnFrame,
) -> Rendered:
    """The video of a render stage, verified against `frame`; `on_frame` is told how many are done.

    Raises ResultFault (result_invalid) when what was filmed is not exactly as ordered.
    """
    palette, target = None, bench.folder / f"video.{order.container}"
    if order.container == "gif":
        palette = bench.folder / "palette.png"
        await ffmpeg_on_results(
            palette_arguments(take, frame, palette),
            "the colours of the video cannot be found",
            bench.deadline_s,
        )
    with span("collector.film", container=order.container, frames=frame.frames):
        await ffmpeg_on_results(
            film_arguments(take, sound, order, frame, target, pictures=pictures, palette=palette),
            "the video cannot be rendered",
            bench.deadline_s,
            on_frame,
        )
    with span("collector.verify"):
        facts = await measure(
            target, "video", container=order.container, fps=frame.fps, shown=bench.shown
        )
    faults = delivery_faults(facts, frame, sound=sound is not None, container=order.container)
    if faults:
        raise invalid(f"video: {'; '.join(faults)}")
    return Rendered(target, facts, f"rendered as {order.container}")


async def clip_frames(clip: Path, folder: Path, frames: int, deadline_s: float) -> tuple[Path, ...]:
    """Every frame of a clip as a PNG in `folder`. Raises ResultFault unless there are `frames`."""
    await asyncio.to_thread(folder.mkdir)
    await ffmpeg_on_results(frames_arguments(clip, folder), "the frames cannot be kept", deadline_s)
    found = sorted(await asyncio.to_thread(lambda: list(folder.iterdir())))
    if len(found) != frames:
        raise invalid(f"{len(found)} frames were kept instead of {frames}")
    return tuple(found)


async def _copies(
    sources: Sequence[Source], frame: Frame, name: str, bench: Bench
) -> Sequence[Path]:
    if len(sources) == 1 and not sources[0].facts.audio:
        return [sources[0].path]
    return [
        await _copied(source, frame, f"{name}-copy-{n}", bench) for n, source in enumerate(sources)
    ]


async def _copied(source: Source, frame: Frame, name: str, bench: Bench) -> Path:
    target = bench.folder / f"{name}.mp4"
    await ffmpeg_on_results(
        picture_arguments(source.path, frame, target),
        f"step {source.order.step} cannot be copied",
        bench.deadline_s,
    )
    return target


async def _encoded(source: Source, frame: Frame, name: str, bench: Bench) -> Path:
    target = bench.folder / f"{name}.mp4"
    with span("collector.encode", step=source.order.step):
        await ffmpeg_on_results(
            encode_arguments(source.path, source.order, frame, target),
            f"step {source.order.step} cannot be coded",
            bench.deadline_s,
        )
    return target


async def _joined(
    parts: Sequence[Path],
    sources: Sequence[Source],
    soundtrack: Path | None,
    frame: Frame,
    name: str,
    bench: Bench,
    recoded: str | None,
) -> Rendered:
    target = bench.folder / f"{name}.mp4"
    if len(parts) == 1:
        pictures = one_file(parts[0])
    else:
        script = bench.folder / f"{name}.ffconcat"
        takes = [source.order.take_frames for source in sources]
        script.write_text(join_script([part.name for part in parts], takes, frame.fps))
        pictures = joined_files(script)
    with span("collector.join", segments=len(parts)):
        await ffmpeg_on_results(
            deliver_arguments(pictures, soundtrack, frame, target),
            f"{name} cannot be joined",
            bench.deadline_s,
        )
    with span("collector.verify"):
        facts = await measure(target, name, shown=bench.shown)
    faults = delivery_faults(facts, frame, sound=soundtrack is not None)
    if faults:
        raise invalid(f"{name}: {'; '.join(faults)}")
    return Rendered(target, facts, recoded)


async def ffmpeg_on_results(
    arguments: Sequence[str],
    complaint: str,
    deadline_s: float,
    on_frame: OnFrame | None = None,
) -> None:
    """Run FFmpeg on a job's results; its refusal is a fault of the results.

    Raises ResultFault (result_invalid) with FFmpeg's last words, OSError when there is no room,
    FfmpegFailed when it was killed: those say nothing about the results.
    """
    try:
        await run_ffmpeg(arguments, deadline_s=deadline_s, on_frame=on_frame)
    except FfmpegFailed as failed:
        if failed.returncode < 0:
            raise
        if "No space left on device" in failed.stderr_tail:
            raise OSError(errno.ENOSPC, "no room for the work of FFmpeg") from failed
        raise invalid(f"{complaint}: {failed.stderr_tail}") from failed
