"""The plan made at submit, the immutable record and the run plan made from it.

The gateway plans once; nothing in a plan is resolved again downstream (design, "The job").
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Discriminator, Field, Tag

from contracts.base import Contract, MediaKey, Scalar, Sha256, StoredFile, Token, Uuid
from contracts.media import KeyPose, MediaFacts, MediaOrder, PreparedMedia, Role
from contracts.stages import Stage, VideoRenderStage, WebuiStage

Mode = Literal["animate", "audio_performance", "start_end", "pose_control", "motion_clip"]
AspectRatio = Literal["9:16", "16:9", "1:1"]
QualityProfile = Literal["draft", "standard", "high"]


class AssetUse(Contract):
    """An asset that the job names, and whether the mode uses it or only stores it.

    `key_poses`: what an operator had mapped on a pose sheet when the job was planned.
    """

    role: Role
    index: int = Field(default=0, ge=0)
    asset_id: Uuid
    sha256: Sha256
    facts: MediaFacts
    used: bool = True
    note: str | None = None
    key_poses: tuple[KeyPose, ...] = ()


class Frame(Contract):
    """The picture a job delivers: size, rate and exact count."""

    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    fps: int = Field(gt=0)
    frames: int = Field(gt=0)

    @property
    def duration_s(self) -> float:
        """Length of the delivered video in seconds."""
        return self.frames / self.fps


class PromptPackRef(Contract):
    """One pinned version of a prompt pack; `sha256` is that of its file."""

    name: Token
    version: str
    sha256: Sha256


Origin = Literal["request", "pack", "default", "drawn", "source"]
"""Where a value came from: the request, the pack, our defaults, chance, or what it starts from."""


class JobPlan(Contract):
    """Everything decided about a job at submit.

    `origins` says for every value of a stage chain where it came from, by its place, such as
    "stages.1.fps".
    """

    plan_version: Literal[1] = 1
    mode: Mode
    prompt: str
    resolved_prompt: str
    negative_prompt: str
    seed: int = Field(ge=0)
    aspect_ratio: AspectRatio
    quality_profile: QualityProfile
    settings: dict[str, Scalar]
    assets: tuple[AssetUse, ...]
    media: tuple[MediaOrder, ...]
    stages: tuple[Stage, ...] = Field(min_length=1)
    delivery: Frame
    soundtrack: Role | None = None
    notes: tuple[str, ...] = ()
    prompt_pack: PromptPackRef | None = None
    origins: dict[str, Origin] = Field(default_factory=dict)

    @property
    def video_name(self) -> str:
        """The file name of the delivered video."""
        last = self.stages[-1]
        if isinstance(last, VideoRenderStage):
            return last.file_name
        return "video.mp4"


class NormalizedJobRecord(Contract):
    """The immutable record of a job: what was asked, with which bytes, to run which chain."""

    record_version: Literal[1] = 1
    job_id: Uuid
    owner: str
    submitted_at: AwareDatetime
    mode: Mode
    prompt: str
    resolved_prompt: str
    negative_prompt: str
    seed: int
    aspect_ratio: AspectRatio
    quality_profile: QualityProfile
    settings: dict[str, Scalar]
    assets: tuple[AssetUse, ...]
    prepared: tuple[PreparedMedia, ...]
    stages: tuple[Stage, ...]
    delivery: Frame
    soundtrack: Role | None = None
    prompt_pack: PromptPackRef | None = None
    origins: dict[str, Origin] = Field(default_factory=dict)


class NodeInput(Contract):
    """One input of one node of a graph."""

    node: str
    input: str


class StepUpload(Contract):
    """A medium that must lie in the engine's input folder before the graph is submitted."""

    source: StoredFile
    engine_subfolder: str
    engine_filename: str
    at: tuple[NodeInput, ...]


class StepSlot(Contract):
    """A value known only when the attempt runs, and where in the graph it goes."""

    name: Literal["output_prefix"]
    at: NodeInput


class StepCheckpoint(Contract):
    """A file that an earlier step of the job yields and that this step's graph loads.

    Its name is known only then; it is put among the engine's inputs like an upload.
    """

    step: int = Field(ge=0)
    output: Token
    at: tuple[NodeInput, ...] = Field(min_length=1)


class ExpectedOutput(Contract):
    """A file that a step must yield: the node that saves it and what it must be."""

    name: Token
    node: str
    media: Literal["video", "image", "latent"]
    frames: int | None = None


class Step(Contract):
    """One message's worth of work on ComfyUI: a stage's segment on a lane, and all it needs."""

    kind: Literal["comfyui"] = "comfyui"
    index: int = Field(ge=0)
    stage: int = Field(ge=0)
    segment: int = Field(ge=0)
    lane: Token
    graph: StoredFile
    uploads: tuple[StepUpload, ...]
    checkpoints: tuple[StepCheckpoint, ...] = ()
    slots: tuple[StepSlot, ...]
    outputs: tuple[ExpectedOutput, ...] = Field(min_length=1)
    output_key_prefix: MediaKey
    expected_frames: int = Field(gt=0)
    skip_frames: int = Field(default=0, ge=0)
    deadline_s: int = Field(gt=0)


class WebuiStep(Contract):
    """One message's worth of work on WebUI: a stage, the pictures it starts from, and all it needs.

    It starts from `pictures` (prepared media, in order), or from those that step `from_step`
    left, or from none. It leaves one output named "pictures": a PictureIndex of exactly
    `expected_pictures`, whose files lie beside it under `output_key_prefix`, in the folder of
    the attempt, as picture-000000.png and so on.
    """

    kind: Literal["webui"] = "webui"
    index: int = Field(ge=0)
    stage: int = Field(ge=0)
    segment: Literal[0] = 0
    lane: Token
    config: WebuiStage
    pictures: tuple[StoredFile, ...] = ()
    from_step: int | None = Field(default=None, ge=0)
    output_key_prefix: MediaKey
    expected_pictures: int = Field(gt=0)
    deadline_s: int = Field(gt=0)


def _step_kind(value: object) -> str:
    """Plans made before there were WebUI steps do not say which kind theirs are."""
    told = value.get("kind", "comfyui") if isinstance(value, dict) else getattr(value, "kind", "")
    return str(told)


AnyStep = Annotated[
    Annotated[Step, Tag("comfyui")] | Annotated[WebuiStep, Tag("webui")], Discriminator(_step_kind)
]


class PictureIndex(Contract):
    """The pictures that a WebUI step left, in order and of one size.

    Lies in the media store beside them: hundreds of frames would not fit an event.
    """

    index_version: Literal[1] = 1
    pictures: tuple[StoredFile, ...] = Field(min_length=1)
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)


class RenderOrder(Contract):
    """What video_render makes of what, where kept frames and the video go.

    `source` "stills" are `pictures` (uploaded, prepared, of one size) or what step `from_step`
    left; "frames" are what step `from_step` left; "clip" is the joined video of the ComfyUI
    steps. The rendered picture is exactly `Delivery.frame`: even sides, so a picture with an odd
    side is padded by one pixel.
    """

    config: VideoRenderStage
    source: Literal["stills", "frames", "clip"]
    pictures: tuple[StoredFile, ...] = ()
    from_step: int | None = Field(default=None, ge=0)
    frames_key_prefix: MediaKey
    output_key: MediaKey


class Delivery(Contract):
    """What the collector must make of the steps' outputs, and under which keys."""

    frame: Frame
    soundtrack: StoredFile | None = None
    video_key: MediaKey
    poster_key: MediaKey
    first_frame_key: MediaKey
    preview_key: MediaKey
    pose_preview_key: MediaKey | None = None
    manifest_key: MediaKey
    debug_metadata_key: MediaKey


class RunPlan(Contract):
    """For every step what it runs on, its inputs, output keys, deadline and expected frames.

    A job that renders uploaded stills has no steps at all: it needs no engine.
    """

    run_plan_version: Literal[1] = 1
    job_id: Uuid
    record: StoredFile
    steps: tuple[AnyStep, ...]
    render: RenderOrder | None = None
    delivery: Delivery

    @property
    def comfy_steps(self) -> tuple[Step, ...]:
        """The steps that run on ComfyUI, in order."""
        return tuple(step for step in self.steps if isinstance(step, Step))


class StepOutput(Contract):
    """A file that a step yielded, in the media store."""

    name: Token
    node: str
    filename: str
    file: StoredFile


class EngineUsed(Contract):
    """The engine that ran a step: enough to run it again and to say what it really was."""

    engine_id: Token
    kind: Literal["comfyui", "webui"]
    simulated: bool
    version: str
    snapshot: StoredFile | None = None


class StepResult(Contract):
    """A finished step: outputs, engine, prompt id, times in seconds.

    `graph` is what was sent to the engine: the graph, or for a WebUI step the request with its
    pictures left out by hash. `engine_log` is what the engine said.
    """

    step: int
    attempt: int
    comfy_prompt_id: Uuid
    engine: EngineUsed
    outputs: tuple[StepOutput, ...]
    graph: StoredFile
    engine_log: StoredFile
    waited_s: float = Field(ge=0)
    ran_s: float = Field(ge=0)


class ExecutionReport(Contract):
    """What is left in the media store for the collector, steps in order; no steps, no results."""

    report_version: Literal[1] = 1
    job_id: Uuid
    attempt: int
    run_plan: StoredFile
    results: tuple[StepResult, ...]
