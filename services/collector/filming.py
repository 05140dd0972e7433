"""How pictures or a joined clip become the rendered video, as decisions and FFmpeg arguments.

Pure. Equal pictures and an equal order give equal arguments, and these give equal bytes on the
same FFmpeg and class of CPU (docs/outputs.md). Must not run FFmpeg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ffmpeg

from contracts.plan import Frame
from contracts.stages import VideoRenderStage
from runtime.ffmpeg import SAFE_INPUT_OPTIONS, SAFE_PROTOCOLS, file_url
from services.collector.coding import EXACT_SCALER, REPEATABLE
from services.collector.h264 import SEI_NAL_TYPE
from services.collector.joining import TICKS_PER_FRAME
from services.collector.sound import laid_under, sound_coding

Container = Literal["mp4", "webm", "gif"]
CameraMotion = Literal["none", "zoom", "pan"]

NUMBERED = "frame-%06d.png"
PICTURE = "picture-%06d.png"
CLOSEST = 1.2
"""How many times larger than whole a picture is shown at the end of a zoom, and during a pan."""
VP9_SPEED: Mapping[str, int] = {
    "ultrafast": 5,
    "superfast": 5,
    "veryfast": 5,
    "faster": 4,
    "fast": 3,
    "medium": 2,
    "slow": 1,
    "slower": 0,
    "veryslow": 0,
}
"""The `cpu-used` of VP9 for each preset, which are named as those of x264."""
_UNNAMED = {"metadata:s:v": "encoder=", "metadata:s:a": "encoder="}
"""No stream names the program that coded it."""


@dataclass(frozen=True, slots=True)
class Take:
    """What is filmed: a clip (an mp4), or a folder of pictures (PICTURE) and of one name (NUMBERED)
    for each frame that shows one of them."""

    path: Path
    numbered: bool


def shown(pictures: int, frames: int) -> tuple[int, ...]:
    """Which of the pictures each frame shows: in order, each as long as the others to a frame."""
    return tuple(frame * pictures // frames for frame in range(frames))


def numbered(frame: int) -> str:
    """The name of a frame's picture; numbers have no gaps, or FFmpeg would end there silently."""
    return NUMBERED % frame


def film_arguments(
    take: Take,
    sound: Path | None,
    order: VideoRenderStage,
    frame: Frame,
    target: Path,
    *,
    pictures: int,
    palette: Path | None = None,
) -> list[str]:
    """FFmpeg arguments that make the video of the order; `pictures` stills share its frames.

    A GIF needs the palette that palette_arguments makes, and takes no sound.
    """
    stream, motion = _padded(_source(take, frame), frame), order.camera_motion
    options: dict[str, Any] = {"f": order.container, "r": frame.fps, **_UNNAMED, **REPEATABLE}
    if palette is not None:
        table = ffmpeg.input(file_url(palette), **SAFE_INPUT_OPTIONS)["v:0"]
        stream = _moved(stream.filter("format", "gbrp"), motion, frame, pictures)
        stream = ffmpeg.filter(
            [stream, table], "paletteuse", dither="bayer", bayer_scale=3, diff_mode="rectangle"
        )
    else:
        # Moved in the colours of the video: these are half the pixels of RGB.
        stream = _moved(_coded(stream, take), motion, frame, pictures)
        options |= _coding(order, frame, take)
    streams = [stream]
    if sound is not None and order.container != "gif":
        streams.append(laid_under(sound, frame))
        options |= sound_coding(order.container)
    return _arguments(ffmpeg.output(*streams, file_url(target), **options))


def palette_arguments(take: Take, frame: Frame, target: Path) -> list[str]:
    """FFmpeg arguments that find the 256 colours of a GIF, over every picture once.

    A run of its own: in one graph with the GIF, every frame would wait in memory for the last.
    """
    stream = _padded(_source(take, frame, PICTURE), frame).filter("palettegen")
    return _arguments(
        ffmpeg.output(
            stream, file_url(target), f="image2", update=1, **{"frames:v": 1, **REPEATABLE}
        )
    )


def frames_arguments(clip: Path, folder: Path) -> list[str]:
    """FFmpeg arguments that write every frame of a clip as a numbered PNG."""
    pictures = ffmpeg.input(file_url(clip), **SAFE_INPUT_OPTIONS)["v:0"].filter(
        "scale", flags=EXACT_SCALER
    )
    return _arguments(
        ffmpeg.output(
            pictures.filter("format", "rgb24"),
            _sequence(folder),
            f="image2",
            start_number=0,
            threads=1,
            fps_mode="passthrough",
            **{"c:v": "png", **REPEATABLE},
        )
    )


def _source(take: Take, frame: Frame, names: str = NUMBERED) -> Any:
    """The frames in time, as they are."""
    if take.numbered:
        source = ffmpeg.input(
            _sequence(take.path, names),
            f="image2",
            framerate=frame.fps,
            start_number=0,
            err_detect="explode",
            protocol_whitelist=SAFE_PROTOCOLS,
            format_whitelist="image2",
        )["v:0"]
    else:
        source = ffmpeg.input(file_url(take.path), **SAFE_INPUT_OPTIONS)["v:0"]
    return source.filter("settb", f"1/{frame.fps}").filter("setpts", "N")


def _padded(stream: Any, frame: Frame) -> Any:
    return stream.filter("pad", frame.width_px, frame.height_px, 0, 0)


def _moved(stream: Any, motion: CameraMotion, frame: Frame, pictures: int) -> Any:
    """A window that moves over each still by parts of a pixel, the same way for every still.

    `in` counts frames from 1. `t` goes from 0 to just before 1 while a still is shown.
    """
    if motion == "none":
        return stream
    t = f"(mod((in-1)*{pictures},{frame.frames})/{frame.frames})"
    margin = (1 - 1 / CLOSEST) / 2
    if motion == "zoom":
        left = top = f"{margin:.9f}*{t}"
        right = bottom = f"(1-{margin:.9f}*{t})"
    elif frame.width_px >= frame.height_px:
        left, right = f"{2 * margin:.9f}*{t}", f"({1 / CLOSEST:.9f}+{2 * margin:.9f}*{t})"
        top, bottom = f"{margin:.9f}", f"{1 - margin:.9f}"
    else:
        left, right = f"{margin:.9f}", f"{1 - margin:.9f}"
        top, bottom = f"{2 * margin:.9f}*{t}", f"({1 / CLOSEST:.9f}+{2 * margin:.9f}*{t})"
    return stream.filter(
        "perspective",
        x0=f"W*{left}",
        y0=f"H*{top}",
        x1=f"W*{right}",
        y1=f"H*{top}",
        x2=f"W*{left}",
        y2=f"H*{bottom}",
        x3=f"W*{right}",
        y3=f"H*{bottom}",
        interpolation="cubic",
        eval="frame",
    )


def _coded(stream: Any, take: Take) -> Any:
    colours = {"out_color_matrix": "bt709"} if take.numbered else {}
    return stream.filter("scale", flags=EXACT_SCALER, out_range="limited", **colours).filter(
        "format", "yuv420p"
    )


def _coding(order: VideoRenderStage, frame: Frame, take: Take) -> dict[str, Any]:
    options: dict[str, Any] = {"c:v": order.codec, "crf": order.crf}
    if take.numbered:
        names = ("colorspace", "color_primaries", "color_trc")
        options |= dict.fromkeys(names, "bt709") | {"color_range": "tv"}
    if order.container == "mp4":
        return options | {
            "preset": order.preset,
            "threads:v": 1,
            "bsf:v": f"filter_units=remove_types={SEI_NAL_TYPE}",
            "movflags": "+faststart",
            "video_track_timescale": frame.fps * TICKS_PER_FRAME,
        }
    return options | {
        "b:v": 0,
        "deadline": "good",
        "cpu-used": VP9_SPEED.get(order.preset, VP9_SPEED["medium"]),
        "row-mt": 0,
        "threads:v": 2,
        "cues_to_front": 1,
    }


def _sequence(folder: Path, names: str = NUMBERED) -> str:
    return file_url(str(folder).replace("%", "%%")) + f"/{names}"


def _arguments(output: Any) -> list[str]:
    arguments: list[str] = ffmpeg.get_args(output, overwrite_output=True)
    return arguments
