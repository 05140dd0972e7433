"""What a video about to be delivered is, measured by decoding all of it in a confined child.

Owns the facts and what is asked of the child for them. Must not decode in this process
(runtime.sandbox does) nor judge: what is good enough is for the collector to say.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from runtime.probe import DEFAULT_LIMITS, ProbeLimits, stream_parameters, told_facts
from runtime.sandbox.client import SANDBOX
from runtime.sandbox.timing import whole_rate

DeliveredContainer = Literal["mp4", "webm", "gif"]
DECODING_THREADS = 2
_DEMUXERS: dict[DeliveredContainer, str] = {"mp4": "mov", "webm": "matroska", "gif": "gif"}


@dataclass(frozen=True, slots=True)
class DeliveredAudio:
    """The sound of a delivered video: per-channel samples, first one at `start_s` seconds."""

    codec: str
    sample_rate_hz: int
    channels: int
    samples: int
    start_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """A fully decoded mp4, webm or gif: size in pixels as shown, times in seconds.

    `rate` is exact and None unless every frame is equally far from the next; `mean_rate` is the
    measured one; `on_time` says whether every frame lies within one tick of the container from
    its place at the rate that was asked for (None when none was). `boxes` are the parts in file
    order (top-level boxes; of a webm those of its segment); `metadata` holds every tag of the
    container (plain name) and of its streams ("<index>.<name>"); `damaged_parts` counts packets
    and frames that did not decode soundly.
    """

    codec: str
    pix_fmt: str
    width_px: int
    height_px: int
    frames: int
    damaged_parts: int
    rate: Fraction | None
    mean_rate: Fraction | None
    video_start_s: float
    faststart: bool
    boxes: tuple[str, ...]
    metadata: dict[str, str]
    audio: DeliveredAudio | None
    on_time: bool | None = None

    @property
    def whole_rate(self) -> int:
        """Frames a second as an order can ask for them, at least 1."""
        return whole_rate(self.mean_rate)


@dataclass(frozen=True, slots=True)
class WantedPictures:
    """Which frame is the poster; the preview shows every `stride`-th of the first `span_frames`,
    `fps` of them a second, at its own size in pixels."""

    poster: int
    stride: int
    span_frames: int
    fps: float
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class ShownPictures:
    """What is shown of a video besides itself, and the files it goes to: two JPEG, one WebP."""

    wanted: WantedPictures
    first_frame: Path
    poster: Path
    preview: Path


async def inspect_delivery(
    path: Path,
    *,
    container: DeliveredContainer = "mp4",
    fps: int | None = None,
    packets_only: bool = False,
    shown: ShownPictures | None = None,
    limits: ProbeLimits = DEFAULT_LIMITS,
) -> DeliveryFacts:
    """Decode a whole video and measure it exactly, also against `fps` when it is given.

    The same decode leaves the pictures of `shown`. With `packets_only` nothing is decoded: a
    survey for what is decoded later anyhow, that sees no damage and no length of sound.
    Raises ProbeRefused when that is impossible.
    """
    parameters = {
        **stream_parameters(limits),
        "demuxer": _DEMUXERS[container],
        "fps": fps,
        "packets_only": packets_only,
        "threads": DECODING_THREADS,
        "pictures": asdict(shown.wanted) if shown else None,
    }
    writes = (shown.first_frame, shown.poster, shown.preview) if shown else ()
    end = await SANDBOX.run(
        "delivery", [path], limits.child(), writes=writes, parameters=parameters
    )
    return delivery_facts(told_facts(end, limits))


def delivery_facts(told: dict[str, Any]) -> DeliveryFacts:
    """The facts of a delivered video as a child told them."""
    facts = dict(told)
    audio = facts.pop("audio")
    return DeliveryFacts(
        **{
            **facts,
            "rate": _fraction(facts["rate"]),
            "mean_rate": _fraction(facts["mean_rate"]),
            "boxes": tuple(facts["boxes"]),
            "audio": DeliveredAudio(**audio) if audio else None,
        }
    )


def _fraction(pair: list[int] | None) -> Fraction | None:
    return Fraction(pair[0], pair[1]) if pair else None
