"""Makes a verified video of segments that can be copied as they are, without FFmpeg's program.

Owns the short way: one confined child surveys the segments, copies their pictures and decodes the
copy, and what it tells is judged here by the rules of joining and verification. Whatever does not
pass is thrown away without a word: rendering takes the long way then, and says what is wrong. Must
not refuse a job's results, nor lay sound under anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.plan import Frame
from runtime.copying import Copied, copy_pictures
from runtime.delivery_facts import DECODING_THREADS
from runtime.probe import ProbeRefused
from runtime.telemetry import span
from services.collector.adapters.inspection import parameter_sets_of
from services.collector.joining import TICKS_PER_FRAME, Source, joined_frame, reason_to_encode
from services.collector.ordering import SegmentOrder
from services.collector.rendering import Bench, Rendered
from services.collector.verification import delivery_faults, segment_faults


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment at hand that was not looked at: the file, and what it is to be."""

    path: Path
    order: SegmentOrder


@dataclass(frozen=True, slots=True)
class Copy:
    """A verified video, and the segments that it was copied from."""

    video: Rendered
    sources: tuple[Source, ...]


async def copied(
    segments: Sequence[Segment],
    frame: Frame | None,
    name: str,
    bench: Bench,
    *,
    threads: int = DECODING_THREADS,
) -> Copy | None:
    """The segments' pictures copied as `name`.mp4 and verified against `frame`, or None when they
    must be coded anew or are not as ordered. Without `frame` size and rate are the segments' own.

    Raises OSError when there is no room, SandboxLost or SandboxBroken when it may be tried again.
    """
    if not segments or not all(segment.order.whole for segment in segments):
        return None
    target = bench.folder / f"{name}.mp4"
    try:
        with span("collector.copy", segments=len(segments)):
            told = await copy_pictures(
                [segment.path for segment in segments],
                target,
                fps=frame.fps if frame else None,
                ticks_per_frame=TICKS_PER_FRAME,
                shown=bench.shown,
                threads=threads,
            )
    except ProbeRefused:
        return None
    return _judged(told, await asyncio.to_thread(_sources, segments, told), frame, target)


def _sources(segments: Sequence[Segment], told: Copied) -> tuple[Source, ...]:
    return tuple(
        Source(segment.path, segment.order, facts, parameter_sets_of(segment.path))
        for segment, facts in zip(segments, told.sources, strict=True)
    )


def _judged(
    told: Copied, sources: tuple[Source, ...], frame: Frame | None, target: Path
) -> Copy | None:
    if told.copy is None or reason_to_encode(sources) is not None:
        return None
    if any(segment_faults(source.facts, source.order, frame) for source in sources):
        return None
    if delivery_faults(told.copy, frame or joined_frame(sources), sound=False):
        return None
    return Copy(Rendered(target, told.copy, None), sources)
