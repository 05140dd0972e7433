"""Resolves video_render: which file is delivered, made of stills, frames or a clip.

A setting that would change nothing there is refused. Must not know engines or other stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from contracts.errors import ErrorCode
from contracts.media import AudioFacts, MediaOrder, Role
from contracts.plan import Frame, JobPlan, Origin
from contracts.stages import VideoRenderStage
from planning.chain_profiles import (
    CODECS,
    CRF,
    MAX_CRF,
    MAX_GIF_FPS,
    PRESET,
    SECONDS_PER_STILL,
    STILLS_FPS,
)
from planning.chain_requests import RenderChoice
from planning.chain_values import Values
from planning.recipes import sound_order
from planning.sheet import Sheet

Source = Literal["stills", "frames", "clip"]
MAX_RENDER_S = 300.0
_STILLS_ONLY = ("fps", "seconds_per_still", "camera_motion")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rendering:
    """A render to resolve: its values, the field that says them, and what it is made of.

    `rate_fps` is the rate of frames or clip; stills have none of their own.
    """

    values: Values
    field: str
    source: Source
    rate_fps: int | None = None


def render_stage(
    sheet: Sheet, rendering: Rendering, audio_role: Role | None
) -> VideoRenderStage | None:
    """The resolved stage, or None when faults were found."""
    values, faults = rendering.values, len(sheet.faults)
    container = values.of("container", "mp4")
    # what a pack says of one container's encoder means nothing for another
    packed = getattr(values.pack, "container", None) or "mp4"
    coding = values if packed == container else Values(values.place, values.asked, None, {})
    _check_wires(sheet, rendering, container)
    of_stills = rendering.source == "stills"
    fps = values.of("fps", STILLS_FPS) if of_stills else rendering.rate_fps or STILLS_FPS
    told = {
        "container": container,
        "codec": _coded(values, coding, "codec", CODECS[container]),
        "crf": _coded(values, coding, "crf", CRF[container]),
        "preset": _coded(values, coding, "preset", PRESET),
        "keep_frames": values.of("keep_frames", False),
        "output_name": values.of("output_name", "video"),
        "fps": fps if of_stills else values.set("fps", fps, "source"),
        "audio_role": audio_role,
    }
    if of_stills:
        told["seconds_per_still"] = values.of("seconds_per_still", SECONDS_PER_STILL)
        told["camera_motion"] = values.of("camera_motion", "none")
    _check_fitting(sheet, rendering, told)
    return VideoRenderStage.model_validate(told) if len(sheet.faults) == faults else None


def still_frames(stage: VideoRenderStage, stills: int) -> int:
    """Frames of a video of so many stills: each is shown for a whole number of frames."""
    return stills * max(1, round(stage.seconds_per_still * stage.fps))


def even_frame(width_px: int, height_px: int, fps: int, frames: int) -> Frame:
    """The delivered frame: an odd side is padded by one pixel, for codecs halve the colours."""
    return Frame(
        width_px=width_px + width_px % 2,
        height_px=height_px + height_px % 2,
        fps=fps,
        frames=frames,
    )


def lay_sound(sheet: Sheet, asset_id: str | None, field: str, frame: Frame) -> MediaOrder | None:
    """The order of the sound under a video; None without one or with a fault."""
    if asset_id is None:
        return None
    taken = sheet.take_asset(asset_id, field, "soundtrack", "audio")
    if taken is None or not isinstance(taken[1], AudioFacts):
        return None
    if taken[1].duration_s < frame.duration_s:
        sheet.notes.append(
            f"The sound lasts {taken[1].duration_s:.1f} s, the video {frame.duration_s:.1f} s; "
            "the rest is silent."
        )
    return sound_order(taken[0], "soundtrack", frame)


def render_clip(sheet: Sheet, plan: JobPlan, asked: RenderChoice) -> JobPlan | None:
    """The plan of a clip with another delivered file than the usual MP4; None with a fault."""
    origins: dict[str, Origin] = {}
    at = len(plan.stages)
    values = Values(f"stages.{at}", asked, None, origins)
    silent = asked.container == "gif"
    role = None if silent else plan.soundtrack
    rendering = Rendering(values, "render", "clip", rate_fps=plan.delivery.fps)
    stage = render_stage(sheet, rendering, role)
    if stage is None:
        return None
    notes, media = list(plan.notes), plan.media
    if silent and plan.soundtrack is not None:
        notes.append("A GIF has no sound; the sound is left out.")
        # a mode whose engine hears the sound orders it under another role
        media = tuple(order for order in media if order.role != "soundtrack")
    delivered = plan.delivery
    return plan.model_copy(
        update={
            "stages": (*plan.stages, stage),
            "soundtrack": role,
            "media": media,
            "notes": tuple(notes),
            "origins": origins,
            "settings": {**plan.settings, "delivered_file": stage.file_name},
            "delivery": even_frame(
                delivered.width_px, delivered.height_px, delivered.fps, delivered.frames
            ),
        }
    )


def _coded(values: Values, coding: Values, name: str, default: T) -> T:
    found = coding.of(name, default)
    values.origins[f"{values.place}.{name}"] = coding.origins[f"{values.place}.{name}"]
    return found


def _check_wires(sheet: Sheet, rendering: Rendering, container: str) -> None:
    """What is asked for must change something with this source and container."""
    values, source = rendering.values, rendering.source

    def unused(name: str, why: str) -> None:
        sheet.refuse(
            ErrorCode.SETTING_UNAVAILABLE,
            f"{rendering.field}.{name}",
            sentence=f"{name} has no effect here: {why}.",
            remedy="Leave it out.",
        )

    if source != "stills":
        made_of = "frames" if source == "frames" else "a clip"
        for name in _STILLS_ONLY:
            if values.asks(name):
                unused(name, f"the video is made of {made_of}, and only stills need it")
    if source == "clip" and values.asks("audio_asset_id"):
        unused("audio_asset_id", "this mode has its own sound")
    if container == "gif":
        for name in ("crf", "audio_asset_id"):
            if values.asks(name):
                unused(name, "a GIF has neither a quality factor nor sound")
    if container != "mp4" and values.asks("preset"):
        unused("preset", "only MP4 has presets")


def _check_fitting(sheet: Sheet, rendering: Rendering, told: Mapping[str, object]) -> None:
    container, codec, fps = str(told["container"]), told["codec"], told["fps"]
    if codec != CODECS[container]:
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            f"{rendering.field}.codec",
            sentence=f"The codec {codec} does not go into {container}.",
            remedy=f"Leave the codec out, or choose {CODECS[container]}.",
        )
    crf = told["crf"]
    if isinstance(crf, int) and crf > MAX_CRF[container]:
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            f"{rendering.field}.crf",
            sentence=f"{CODECS[container]} knows quality factors up to {MAX_CRF[container]}.",
            remedy=f"Choose a crf from 1 (best) to {MAX_CRF[container]}.",
        )
    if container == "gif" and isinstance(fps, int) and fps > MAX_GIF_FPS:
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            f"{rendering.field}.container",
            sentence=f"A GIF shows at most {MAX_GIF_FPS} frames per second, not {fps}.",
            remedy=f"Choose a rate up to {MAX_GIF_FPS}, or another container.",
        )
