"""What may be asked for of a stage chain, one frozen model per stage, as a user writes it.

A value that is left out is taken from the prompt pack, else from our defaults, so that every one is
optional here. Values that make an engine fail or mislead do not fit these types. Must not hold a
rule about anything else: the planner refuses the rest, in sentences.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract
from contracts.stages import (
    MOST_STILLS,
    MOST_WEBUI_SEED,
    AnimateDiffOptions,
    Backend,
    DeforumOptions,
    OutputName,
    Preset,
    VideoCodec,
)

MAX_SECONDS_PER_STILL = 60.0
MAX_RENDER_FPS = 60
Name = Annotated[str, Field(min_length=1, max_length=256)]


class SamplingChoice(Contract):
    """How a stage draws. `checkpoint` left out is whatever the WebUI has loaded."""

    steps: int | None = Field(default=None, ge=1, le=150)
    cfg: float | None = Field(default=None, ge=0, le=30)
    sampler: Name | None = None
    checkpoint: Name | None = None


class Txt2ImgChoice(SamplingChoice):
    """Stills from the prompt."""

    kind: Literal["txt2img"] = "txt2img"
    count: int | None = Field(default=None, ge=1, le=MOST_STILLS)


class Img2ImgChoice(SamplingChoice):
    """Stills from the ground truth picture; `strength` 0 keeps it, 1 ignores it."""

    kind: Literal["img2img"] = "img2img"
    count: int | None = Field(default=None, ge=1, le=MOST_STILLS)
    strength: float | None = Field(default=None, ge=0, le=1)


class UpscaleChoice(Contract):
    """The stills, `factor` times larger; halves only, so that every size stays exact."""

    kind: Literal["upscale"] = "upscale"
    factor: float | None = Field(default=None, ge=1.5, le=4, multiple_of=0.5)
    upscaler: Name | None = None


class AnimateDiffChoice(AnimateDiffOptions):
    """AnimateDiff's own settings; without a motion model the first one there is taken."""

    motion_model: Name | None = None


class BackendParamsChoice(Contract):
    """The settings of a backend under its own name."""

    animatediff: AnimateDiffChoice | None = None
    deforum: DeforumOptions | None = None


class FramesChoice(SamplingChoice):
    """Frames from one picture. `seed_mode` inherit takes the chain's seed, fixed the given one,
    random a new one; `strength` 0 keeps the picture, 1 ignores it."""

    backend: Backend | None = None
    num_frames: int | None = Field(default=None, ge=2, le=1024)
    fps: int | None = Field(default=None, ge=1, le=MAX_RENDER_FPS)
    seed_mode: Literal["inherit", "fixed", "random"] | None = None
    seed: int | None = Field(default=None, ge=0, le=MOST_WEBUI_SEED)
    strength: float | None = Field(default=None, ge=0, le=1)
    backend_params: BackendParamsChoice | None = None


class VideoFramesChoice(FramesChoice):
    """Frames by AnimateDiff or Deforum, where they are there."""

    kind: Literal["video_frames"] = "video_frames"


class RenderChoice(Contract):
    """The delivered file. `fps`, `seconds_per_still` and `camera_motion` are for stills."""

    container: Literal["mp4", "webm", "gif"] | None = None
    codec: VideoCodec | None = None
    crf: int | None = Field(default=None, ge=1, le=63)
    preset: Preset | None = None
    keep_frames: bool | None = None
    output_name: OutputName | None = None
    fps: int | None = Field(default=None, ge=1, le=MAX_RENDER_FPS)
    seconds_per_still: float | None = Field(default=None, ge=0.1, le=MAX_SECONDS_PER_STILL)
    camera_motion: Literal["none", "zoom", "pan"] | None = None
    audio_asset_id: str | None = Field(default=None, max_length=64)


class VideoRenderChoice(RenderChoice):
    """Pictures or frames become the delivered file; always the last stage."""

    kind: Literal["video_render"] = "video_render"


StageChoice = Annotated[
    Txt2ImgChoice | Img2ImgChoice | UpscaleChoice | VideoFramesChoice | VideoRenderChoice,
    Field(discriminator="kind"),
]
