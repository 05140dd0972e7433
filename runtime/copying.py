"""Joins videos by copying their pictures and measures the result, all in one confined child.

What the child tells of the sources and of the copy is for the caller to judge: a copy that was
written is not yet one that is good. Must not decode in this process nor decide what is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from runtime.delivery_facts import DECODING_THREADS, DeliveryFacts, ShownPictures, delivery_facts
from runtime.probe import DEFAULT_LIMITS, ProbeLimits, stream_parameters, told_facts
from runtime.sandbox.client import SANDBOX

MAX_COPY_BYTES = 8 << 30


@dataclass(frozen=True, slots=True)
class Copied:
    """What the sources are by their packets, and what their copy is, decoded whole.

    There is no copy when a source has another codec than H.264.
    """

    sources: tuple[DeliveryFacts, ...]
    copy: DeliveryFacts | None


async def copy_pictures(
    sources: Sequence[Path],
    target: Path,
    *,
    fps: int | None,
    ticks_per_frame: int,
    shown: ShownPictures | None = None,
    threads: int = DECODING_THREADS,
    limits: ProbeLimits = DEFAULT_LIMITS,
) -> Copied:
    """Write the pictures of mp4 files, one after the other from time zero, to the mp4 `target`.

    Nothing but the pictures is copied: no sound, no tag, no SEI. The clock of the copy has
    `ticks_per_frame` at `fps`, or at the rate of the first source. The pictures of `shown` are
    taken of the copy. It is decoded by `threads`: one costs a fifth less, two are sooner done.
    Raises as runtime.delivery_facts.inspect_delivery, and OSError when there is no room.
    """
    parameters = {
        **stream_parameters(limits),
        "codec": "h264",
        "fps": fps,
        "ticks_per_frame": ticks_per_frame,
        "threads": threads,
        "pictures": asdict(shown.wanted) if shown else None,
    }
    pictures = (shown.first_frame, shown.poster, shown.preview) if shown else ()
    end = await SANDBOX.run(
        "copy",
        sources,
        replace(limits.child(), output_bytes=MAX_COPY_BYTES),
        writes=(target, *pictures),
        parameters=parameters,
    )
    told = told_facts(end, limits)
    return Copied(
        tuple(delivery_facts(source) for source in told["segments"]),
        delivery_facts(told["copy"]) if told["copy"] else None,
    )
