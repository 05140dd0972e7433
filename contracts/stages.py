"""The typed stages of a job's chain (design, "The job"; video stages specification).

A stage says what is to be made, fully resolved; who runs it infers nothing.
Must not know how a stage is executed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Contract, Scalar, Sha256, Token
from contracts.media import Role

Precision = Literal["fp8", "bf16"]
Backend = Literal["webui_animatediff", "webui_deforum"]
VideoCodec = Literal["libx264", "libvpx-vp9", "gif"]
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]
OutputName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
MOST_WEBUI_SEED = 2**32 - 1
MOST_STILLS = 24
"""Stills of one job: each is named in events, and those have 64 KB."""
DeforumSchedule = Literal[
    "angle",
    "zoom",
    "translation_x",
    "translation_y",
    "translation_z",
    "rotation_3d_x",
    "rotation_3d_y",
    "rotation_3d_z",
    "noise_schedule",
    "contrast_schedule",
]
_TERM = r"(\d+(\.\d+)?|\.\d+|max_f|t|sin|cos|tan|abs|[-+*/%()\s])"
_ENTRY = rf"\s*\d+\s*:\s*\({_TERM}+\)\s*"
ScheduleText = Annotated[
    str, StringConstraints(pattern=rf"^{_ENTRY}(,{_ENTRY})*$", max_length=1000)
]


class WorkflowRef(Contract):
    """One pinned workflow version; `sha256` covers graph, bindings and manifest."""

    family: Token
    name: Token
    version: str
    sha256: Sha256


class Segment(Contract):
    """A stretch of a long video that one step makes: `frames` frames from `first_frame`."""

    index: int = Field(ge=0)
    first_frame: int = Field(ge=0)
    frames: int = Field(gt=0)


class MediaInput(Contract):
    """Which prepared medium goes into which named parameter of the workflow."""

    parameter: str
    role: Role
    index: int = Field(default=0, ge=0)


class ComfyWorkflowStage(Contract):
    """One pinned workflow on ComfyUI, one step per segment."""

    kind: Literal["comfy_workflow"] = "comfy_workflow"
    workflow: WorkflowRef
    precision: Precision
    parameters: dict[str, Scalar]
    media: tuple[MediaInput, ...]
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    fps: int = Field(gt=0)
    segments: tuple[Segment, ...] = Field(min_length=1)


class Sampling(Contract):
    """How a WebUI stage draws: text, seed, sampler. `checkpoint` None is whatever is loaded.

    The prompts are final: nothing is added to them later.
    """

    prompt: str
    negative_prompt: str
    seed: int = Field(ge=0, le=MOST_WEBUI_SEED)
    sampler: str
    steps: int = Field(gt=0, le=150)
    cfg: float = Field(ge=0, le=30)
    checkpoint: str | None = None
    width_px: int = Field(ge=64, le=4096, multiple_of=8)
    height_px: int = Field(ge=64, le=4096, multiple_of=8)


class Txt2ImgStage(Sampling):
    """`count` stills from a prompt, on WebUI; still n has the seed `seed` + n."""

    kind: Literal["txt2img"] = "txt2img"
    count: int = Field(default=1, gt=0, le=MOST_STILLS)


class Img2ImgStage(Sampling):
    """`count` stills from one picture and a prompt, on WebUI.

    `strength` 0 keeps the picture, 1 ignores it.
    """

    kind: Literal["img2img"] = "img2img"
    count: int = Field(default=1, gt=0, le=MOST_STILLS)
    strength: float = Field(ge=0, le=1)


class UpscaleStage(Contract):
    """Every still made larger, on WebUI; `width_px` and `height_px` are what must come back."""

    kind: Literal["upscale"] = "upscale"
    factor: float = Field(gt=1, le=8)
    upscaler: str
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)


class FreeInitParams(Contract):
    """AnimateDiff's FreeInit; the forge branch of the extension has none."""

    filter: Literal["butterworth", "gaussian", "box", "ideal"] = "butterworth"
    ds: float = Field(default=0.25, ge=0, le=1)
    dt: float = Field(default=0.25, ge=0, le=1)
    iters: int = Field(default=3, ge=2, le=5)


class LatentRampParams(Contract):
    """How strongly the first picture holds the frames: alpha_i = 1 - i^power / scale."""

    power: float = Field(default=1.0, ge=0.1, le=10)
    scale: float = Field(default=32.0, ge=1, le=128)


class AnimateDiffOptions(Contract):
    """What may be chosen of AnimateDiff besides its motion model; nothing else is ever sent.

    `context_frames` None is 16, or the whole clip where that is shorter.
    """

    context_frames: int | None = Field(default=None, ge=1, le=32)
    closed_loop: Literal["N", "R-P", "R+P", "A"] = "N"
    stride: int = Field(default=1, ge=1, le=8)
    overlap: int = Field(default=-1, ge=-1, le=31)
    freeinit: FreeInitParams | None = None
    latent_ramp: LatentRampParams | None = None


class AnimateDiffParams(AnimateDiffOptions):
    """AnimateDiff's part of a video_frames stage, fully resolved."""

    motion_model: str = Field(min_length=1)


class DeforumOptions(Contract):
    """What may be chosen of Deforum; nothing else is ever sent.

    A schedule is Deforum's string such as "0: (1.02), 20: (1)": numbers and t, max_f, sin, cos,
    tan, abs only.
    """

    animation_mode: Literal["2D", "3D", "Interpolation"] = "2D"
    seed_behavior: Literal["iter", "fixed", "random", "ladder", "alternate"] = "iter"
    schedules: dict[DeforumSchedule, ScheduleText] = Field(default_factory=dict)


class DeforumParams(DeforumOptions):
    """Deforum's part of a video_frames stage, fully resolved.

    `prompts` are by frame number and begin at 0. `strength` is Deforum's own, the reverse of the
    stage's: 1 keeps the frame before, 0 ignores it.
    """

    prompts: dict[int, str]
    strength: float = Field(ge=0, le=1)


class BackendParams(Contract):
    """The parameters of the one backend that runs, under its own name."""

    animatediff: AnimateDiffParams | None = None
    deforum: DeforumParams | None = None


class VideoFramesStage(Sampling):
    """Frames made by a capability-gated WebUI extension from one picture.

    `seed` is resolved whatever `seed_mode` was. `strength` 0 keeps the picture, 1 ignores it.
    """

    kind: Literal["video_frames"] = "video_frames"
    backend: Backend
    num_frames: int = Field(ge=2, le=1024)
    fps: int = Field(gt=0, le=120)
    seed_mode: Literal["inherit", "fixed", "random"]
    strength: float = Field(ge=0, le=1)
    backend_params: BackendParams

    @model_validator(mode="after")
    def _params_of_the_backend(self) -> VideoFramesStage:
        given = {
            "webui_animatediff": self.backend_params.animatediff is not None,
            "webui_deforum": self.backend_params.deforum is not None,
        }
        if [name for name, there in given.items() if there] != [self.backend]:
            raise ValueError(f"backend_params must be those of {self.backend} and no other")
        return self


class VideoRenderStage(Contract):
    """Frames, stills or a clip assembled by FFmpeg in the collector; deterministic.

    `output_name` is the delivered file's name without its extension. `seconds_per_still` and
    `camera_motion` act on stills only.
    """

    kind: Literal["video_render"] = "video_render"
    container: Literal["mp4", "webm", "gif"] = "mp4"
    codec: VideoCodec = "libx264"
    crf: int = Field(default=18, ge=0, le=63)
    preset: Preset = "medium"
    keep_frames: bool = False
    output_name: OutputName = "video"
    fps: int = Field(gt=0, le=120)
    seconds_per_still: float = Field(default=2.0, gt=0)
    camera_motion: Literal["none", "zoom", "pan"] = "none"
    audio_role: Role | None = None

    @property
    def file_name(self) -> str:
        """The name of the delivered file."""
        return f"{self.output_name}.{self.container}"


Stage = Annotated[
    ComfyWorkflowStage
    | Txt2ImgStage
    | Img2ImgStage
    | UpscaleStage
    | VideoFramesStage
    | VideoRenderStage,
    Field(discriminator="kind"),
]

WebuiStage = Annotated[
    Txt2ImgStage | Img2ImgStage | UpscaleStage | VideoFramesStage, Field(discriminator="kind")
]
