"""Frames by AnimateDiff: one generating call with the extension's arguments, and its proof.

Owns what is sent to the extension and what its answer must show. A value it does not like
either makes it silently step aside or leaves the server broken for everybody, so that nothing
is sent that was not checked, and no answer counts that does not prove the animation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from .client import WebUIClient
from .errors import CapabilityMissing, NotAnimated, UnfitSettings
from .generating import Generated, OnProgress, check_pictures
from .pictures import as_base64, rgb_png
from .stills import Txt2Img

NAME = "AnimateDiff"
MOST_FRAMES = 1024
USUAL_CONTEXT, MOST_CONTEXT = 16, 32
ClosedLoop = Literal["N", "R-P", "R+P", "A"]
FreeInitFilter = Literal["butterworth", "gaussian", "box", "ideal"]
_TRAVEL = re.compile(r"^\s*(\d+)\s*:")
_FORBIDDEN = frozenset({"video_default", "is_i2i_batch", "prompt_scheduler"})
_NEEDED = frozenset({"model", "enable", "video_length", "fps", "format", "batch_size"})


@dataclass(frozen=True, slots=True)
class FreeInit:
    """FreeInit's settings; the forge branch of the extension has none."""

    filter: FreeInitFilter = "butterworth"
    ds: float = 0.25
    dt: float = 0.25
    iters: int = 3

    def __post_init__(self) -> None:
        if self.filter not in get_args(FreeInitFilter) or not 2 <= self.iters <= 5:
            raise UnfitSettings("FreeInit takes a known filter and 2 to 5 iterations")
        if not (0 <= self.ds <= 1 and 0 <= self.dt <= 1):
            raise UnfitSettings("FreeInit's ds and dt lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class LatentRamp:
    """How strongly a picture holds the frames: alpha_i = 1 - i^power / scale."""

    power: float = 1.0
    scale: float = 32.0

    def __post_init__(self) -> None:
        if not (0.1 <= self.power <= 10 and 1 <= self.scale <= 128):
            raise UnfitSettings("a latent ramp has power 0.1 to 10 and scale 1 to 128")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimateDiffSettings:
    """`frames` frames by one motion model (a file name as the server lists it).

    `context_frames` is the window in which motion is coherent (16 or the whole clip where
    that is shorter; 24 at most for v1 models, 32 for v2 and XL). `first` and `last` ramps
    only act on img2img; `last_frame` is a picture file.

    Raises UnfitSettings.
    """

    model: str
    frames: int
    fps: int = 8
    context_frames: int | None = None
    closed_loop: ClosedLoop = "N"
    stride: int = 1
    overlap: int = -1
    freeinit: FreeInit | None = None
    first: LatentRamp | None = None
    last: LatentRamp | None = None
    last_frame: bytes | None = None

    def __post_init__(self) -> None:
        if not self.model or not self.model.isprintable():
            raise UnfitSettings("a motion model has a name")
        if not 2 <= self.frames <= MOST_FRAMES:
            raise UnfitSettings(f"between 2 and {MOST_FRAMES} frames can be asked for")
        if isinstance(self.fps, bool) or not isinstance(self.fps, int) or not 1 <= self.fps <= 120:
            raise UnfitSettings("fps is a whole number between 1 and 120")
        if self.closed_loop not in get_args(ClosedLoop):
            raise UnfitSettings("closed_loop is N, R-P, R+P or A")
        if not 1 <= self.context <= min(self.frames, MOST_CONTEXT):
            raise UnfitSettings("the context is no longer than the clip, and 32 frames at most")
        if not 1 <= self.stride <= 8 or not -1 <= self.overlap < self.context:
            raise UnfitSettings("stride lies between 1 and 8, overlap below the context")

    @property
    def context(self) -> int:
        """Frames per context window; never more than the clip has, or more would come back."""
        return self.context_frames or min(USUAL_CONTEXT, self.frames)


def payload(settings: AnimateDiffSettings, shown: Collection[str]) -> dict[str, Any]:
    """The `alwayson_scripts` entry: exactly one dict of keys that the server shows.

    `shown` are the argument keys that script-info gave. Raises UnfitSettings for a setting
    whose key is not among them (an unknown key makes the extension silently step aside) and
    for a last frame that is no picture.
    """
    wanted: dict[str, Any] = {
        "model": settings.model,
        "enable": True,
        "video_length": settings.frames,
        "fps": settings.fps,
        "closed_loop": settings.closed_loop,
        "batch_size": settings.context,
        "stride": settings.stride,
        "overlap": settings.overlap,
        # raw frames in their order; any other value gives a video or breaks the server
        "format": ["PNG"],
        **_freeinit(settings.freeinit),
        **_ramp(settings.first, ""),
        **_ramp(settings.last, "_last"),
    }
    if settings.last_frame is not None:
        wanted["last_frame"] = as_base64(rgb_png(settings.last_frame))
    lacking = sorted(set(wanted) - (set(shown) - _FORBIDDEN))
    if lacking:
        raise UnfitSettings(f"this AnimateDiff does not know {', '.join(lacking)}")
    quiet = {"interp": "Off", "loop_number": 0}
    wanted.update({key: value for key, value in quiet.items() if key in shown})
    return {NAME: {"args": [wanted]}}


def check_prompt(prompt: str, frames: int) -> None:
    """Raises UnfitSettings for a prompt line that stands at a frame that does not exist.

    Such a line gives the right number of frames, unanimated, and leaves the server broken.
    """
    for line in prompt.splitlines():
        found = _TRAVEL.match(line)
        if found and int(found[1]) >= frames:
            raise UnfitSettings(f"a prompt stands at frame {found[1]} of a clip of {frames}")


async def animate(
    client: WebUIClient,
    asked: Txt2Img,
    settings: AnimateDiffSettings,
    *,
    shown: Collection[str],
    models: Collection[str],
    deadline_s: float,
    task_id: str | None = None,
    on_progress: OnProgress | None = None,
) -> Generated:
    """Exactly `settings.frames` frames, in order, from a prompt or (`Img2Img`) a picture.

    `shown` and `models` are the argument keys and motion models of a capability snapshot.
    Select the checkpoint before. The answer holds the only copy of the frames: store them at
    once. Raises UnfitSettings and CapabilityMissing before anything is sent, NotAnimated,
    WrongFrameCount, UnreadablePicture for a 200 that is no success, and as
    `WebUIClient.generate`.
    """
    check_prompt(asked.prompt, settings.frames)
    _check_there(client.name, settings, shown, models)
    made = await client.generate(
        replace(asked, count=1),
        deadline_s=deadline_s,
        task_id=task_id,
        extra={"alwayson_scripts": payload(settings, shown)},
        on_progress=on_progress,
    )
    if not any(key.lower() == NAME.lower() for key in made.extra):
        raise NotAnimated(client.name, f"{made.task_id}: a plain still came back, no animation")
    check_pictures(client.name, made.pictures, settings.frames, asked.width_px, asked.height_px)
    return made


def _check_there(
    engine: str, settings: AnimateDiffSettings, shown: Collection[str], models: Collection[str]
) -> None:
    missing = []
    if not set(shown) >= _NEEDED:
        missing.append("AnimateDiff is not there, or of a version we do not know.")
    if settings.model not in models:
        missing.append(f"The motion model {settings.model!r} is not installed.")
    if missing:
        raise CapabilityMissing(engine, tuple(missing))


def _freeinit(told: FreeInit | None) -> Mapping[str, Any]:
    if told is None:
        return {}
    values = {f"freeinit_{part.name}": getattr(told, part.name) for part in fields(told)}
    return {"freeinit_enable": True, **values}


def _ramp(told: LatentRamp | None, tail: str) -> Mapping[str, Any]:
    if told is None:
        return {}
    return {f"latent_power{tail}": told.power, f"latent_scale{tail}": told.scale}
