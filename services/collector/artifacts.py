"""What is made beside the video: poster, first frame and animated preview, as FFmpeg arguments.

Pure: owns which frames are shown and how the pictures are coded. All three come out of one
decode. Must not run FFmpeg.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from contracts.plan import Frame
from runtime.ffmpeg import SAFE_DEMUXERS, SAFE_INPUT_OPTIONS, file_url
from services.collector.coding import EXACT_SCALER, REPEATABLE

PREVIEW_FPS = 8
PREVIEW_LONGEST_S = 4.0
PREVIEW_SIDE_PX = 320


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """Where the pictures are written."""

    poster: Path
    first_frame: Path
    preview: Path


@dataclass(frozen=True, slots=True)
class PreviewPlan:
    """Which frames the preview shows: every `stride`-th of the first `span` frames."""

    stride: int
    span_frames: int
    fps: float

    @property
    def frames(self) -> int:
        """How many pictures the preview has."""
        return math.ceil(self.span_frames / self.stride)


def poster_index(frames: int) -> int:
    """The frame that stands for the video: the middle one."""
    return frames // 2


def preview_plan(frame: Frame) -> PreviewPlan:
    """About eight pictures a second in true time, of the first four seconds at most."""
    stride = max(1, round(frame.fps / PREVIEW_FPS))
    span_frames = min(frame.frames, math.ceil(PREVIEW_LONGEST_S * frame.fps))
    return PreviewPlan(stride, span_frames, frame.fps / stride)


def preview_size(frame: Frame) -> tuple[int, int]:
    """Width and height of the preview in pixels: even, the longer side at most 320."""
    scale = min(1.0, PREVIEW_SIDE_PX / max(frame.width_px, frame.height_px))
    return _even(frame.width_px * scale), _even(frame.height_px * scale)


def picture_arguments(video: Path, frame: Frame, files: PictureFiles) -> list[str]:
    """FFmpeg arguments that decode the delivered video once and write the three pictures."""
    options = {**SAFE_INPUT_OPTIONS, "format_whitelist": f"{SAFE_DEMUXERS},gif"}
    split = ffmpeg.input(file_url(video), **options).video.filter_multi_output("split", 3)
    outputs = (
        _still(split[0], 0, files.first_frame),
        _still(split[1], poster_index(frame.frames), files.poster),
        _preview(split[2], frame, files.preview),
    )
    arguments: list[str] = ffmpeg.get_args(ffmpeg.merge_outputs(*outputs), overwrite_output=True)
    return arguments


def _still(stream: Any, index: int, target: Path) -> Any:
    picture = (
        stream.filter("select", f"eq(n,{index})")
        .filter("scale", flags=EXACT_SCALER, out_range="full")
        .filter("format", "yuvj420p")
    )
    return ffmpeg.output(
        picture,
        file_url(target),
        f="image2",
        update=1,
        threads=1,
        **{"frames:v": 1, "c:v": "mjpeg", "q:v": 2, **REPEATABLE},
    )


def _preview(stream: Any, frame: Frame, target: Path) -> Any:
    plan, (width_px, height_px) = preview_plan(frame), preview_size(frame)
    pictures = (
        stream.filter("select", f"lt(n,{plan.span_frames})*not(mod(n,{plan.stride}))")
        .filter("settb", f"{plan.stride}/{frame.fps}")
        .filter("setpts", "N")
        .filter("scale", width_px, height_px, flags=EXACT_SCALER)
        .filter("format", "yuv420p")
    )
    return ffmpeg.output(
        pictures,
        file_url(target),
        f="webp",
        loop=0,
        threads=1,
        fps_mode="passthrough",
        quality=60,
        **{"c:v": "libwebp_anim", **REPEATABLE},
    )


def _even(side_px: float) -> int:
    return max(2, round(side_px / 2) * 2)
