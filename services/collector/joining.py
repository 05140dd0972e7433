"""How segments become one video stream, as decisions and FFmpeg arguments.

Pure. What FFmpeg's program does; segments that need neither sound nor coding are copied without it
(copying). A join is always a stream copy: segments that can be copied as they are stay untouched,
else every segment is coded anew with the same settings first, so that one set of H.264
parameters describes the whole stream (players read only the first). Must not run FFmpeg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from contracts.plan import Frame
from runtime.delivery_facts import DeliveryFacts
from runtime.ffmpeg import SAFE_DEMUXERS, SAFE_INPUT_OPTIONS, SAFE_PROTOCOLS, file_url
from services.collector.coding import EXACT_SCALER, REPEATABLE, VIDEO_CRF, VIDEO_PRESET
from services.collector.h264 import SEI_NAL_TYPE, frames_only
from services.collector.ordering import SegmentOrder
from services.collector.sound import laid_under, sound_coding

TICKS_PER_FRAME = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """A segment at hand: the file, its order, and what it was measured to be.

    `parameter_sets` is the H.264 configuration in the mp4's index, None where there is none.
    """

    path: Path
    order: SegmentOrder
    facts: DeliveryFacts
    parameter_sets: bytes | None


def joined_frame(sources: Sequence[Source]) -> Frame:
    """What the segments make together when nothing else is ordered: size and rate of the first."""
    first = sources[0].facts
    return Frame(
        width_px=first.width_px,
        height_px=first.height_px,
        fps=first.whole_rate,
        frames=sum(source.order.take_frames for source in sources),
    )


def reason_to_encode(sources: Sequence[Source]) -> str | None:
    """Why the segments cannot be copied as they are, or None when they can."""
    for source in sources:
        facts, step = source.facts, source.order.step
        if not source.order.whole:
            return f"step {step}: only a part of its frames is delivered"
        if facts.codec != "h264" or facts.pix_fmt != "yuv420p":
            return f"step {step}: {facts.codec} {facts.pix_fmt}"
        if source.parameter_sets is None:
            return f"step {step}: no H.264 configuration in its index"
        if not frames_only(source.parameter_sets):
            return f"step {step}: interlaced"
    if len({source.parameter_sets for source in sources}) > 1:
        return "the segments were coded with different settings"
    return None


def encode_arguments(source: Path, order: SegmentOrder, frame: Frame, target: Path) -> list[str]:
    """FFmpeg arguments that code the kept frames of a segment as H.264 for delivery."""
    pictures = (
        ffmpeg.input(file_url(source), **SAFE_INPUT_OPTIONS)["v:0"]
        .filter(
            "trim",
            start_frame=order.skip_frames,
            end_frame=order.skip_frames + order.take_frames,
        )
        .filter("settb", f"1/{frame.fps}")
        .filter("setpts", "N")
        .filter("scale", flags=EXACT_SCALER, out_range="limited")
        .filter("format", "yuv420p")
    )
    return _arguments(
        ffmpeg.output(
            pictures,
            file_url(target),
            f="mp4",
            r=frame.fps,
            crf=VIDEO_CRF,
            preset=VIDEO_PRESET,
            threads=1,
            video_track_timescale=frame.fps * TICKS_PER_FRAME,
            **{"c:v": "libx264", **REPEATABLE},
        )
    )


def picture_arguments(source: Path, frame: Frame, target: Path) -> list[str]:
    """FFmpeg arguments that copy the pictures of a segment alone, from time zero.

    The sound that an engine put beside them begins before zero (the encoder's lead-in), and a
    join that still sees it would show the first picture 21 ms late.
    """
    pictures = one_file(source)
    return _arguments(
        ffmpeg.output(
            pictures,
            file_url(target),
            f="mp4",
            video_track_timescale=frame.fps * TICKS_PER_FRAME,
            **{"c:v": "copy", **REPEATABLE},
        )
    )


def join_script(names: Sequence[str], takes: Sequence[int], fps: int) -> str:
    """The concat script: bare names of files beside it, each with its exact length in seconds."""
    lines = ["ffconcat version 1.0"]
    for name, take in zip(names, takes, strict=True):
        lines += [f"file {name}", f"duration {take / fps:.9f}"]
    return "\n".join(lines) + "\n"


def one_file(segment: Path) -> Any:
    """The pictures of a single segment, as FFmpeg's input."""
    return ffmpeg.input(file_url(segment), **SAFE_INPUT_OPTIONS)["v:0"]


def joined_files(script: Path) -> Any:
    """The pictures of the segments that a join script names, as FFmpeg's input."""
    return ffmpeg.input(
        file_url(script),
        f="concat",
        safe=0,
        protocol_whitelist=SAFE_PROTOCOLS,
        format_whitelist=f"concat,{SAFE_DEMUXERS}",
    )["v:0"]


def deliver_arguments(
    pictures: Any, soundtrack: Path | None, frame: Frame, target: Path
) -> list[str]:
    """FFmpeg arguments that copy pictures and lay the soundtrack under them: the delivered mp4.

    They are copied without their SEI: free text that an engine may have left there.
    """
    options: dict[str, Any] = {
        "f": "mp4",
        "movflags": "+faststart",
        "video_track_timescale": frame.fps * TICKS_PER_FRAME,
        "c:v": "copy",
        "bsf:v": f"filter_units=remove_types={SEI_NAL_TYPE}",
        **REPEATABLE,
    }
    if soundtrack is None:
        return _arguments(ffmpeg.output(pictures, file_url(target), **options))
    sound = laid_under(soundtrack, frame)
    options |= sound_coding("mp4")
    return _arguments(ffmpeg.output(pictures, sound, file_url(target), **options))


def _arguments(output: Any) -> list[str]:
    arguments: list[str] = ffmpeg.get_args(output, overwrite_output=True)
    return arguments
