"""What is made beside the video: poster, first frame and animated preview.

Pure: owns which frames are shown and at what size. All three come out of the decode that verifies
the video. Must not decode anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from contracts.plan import Frame
from runtime.delivery_facts import ShownPictures, WantedPictures

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


def shown_pictures(frame: Frame, files: PictureFiles) -> ShownPictures:
    """What the probe takes of a video of this frame while it decodes it, and where it goes."""
    plan, (width_px, height_px) = preview_plan(frame), preview_size(frame)
    wanted = WantedPictures(
        poster=poster_index(frame.frames),
        stride=plan.stride,
        span_frames=plan.span_frames,
        fps=plan.fps,
        width_px=width_px,
        height_px=height_px,
    )
    return ShownPictures(wanted, files.first_frame, files.poster, files.preview)


def _even(side_px: float) -> int:
    return max(2, round(side_px / 2) * 2)
