"""One released workflow version as typed values: its graph, its bindings and its manifest.

Owns the shape of the three files of a version (SRS §20). Must not read a file and must not decide
anything about a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, field_validator, model_validator

from contracts.base import Contract, Scalar, Token
from contracts.media import MediaKind, Role
from contracts.plan import AspectRatio, Mode, NodeInput, QualityProfile
from contracts.stages import Precision, WorkflowRef
from contracts.subjects import lane_name

Graph = dict[str, dict[str, Any]]
"""A graph in ComfyUI's API form: node id → {"class_type", "inputs"}; a link is [node id, slot]."""


class Switch(Contract):
    """A node that a parameter may take out: what read it then reads what its `passes` reads."""

    node: str
    passes: str


class MediaBinding(Contract):
    """Where the engine's file name of one medium goes.

    An optional medium that a job lacks takes its loader nodes out, and every link to them.
    """

    kind: MediaKind
    at: tuple[NodeInput, ...] = Field(min_length=1)
    optional: bool = False


class OutputBinding(Contract):
    """A node that saves a file. A video has as many frames as the segment delivers, or `frames`.

    A latent is a checkpoint: it is saved only when another segment goes on from it.
    """

    node: str
    media: Literal["video", "image", "latent"]
    frames: int | None = Field(default=None, gt=0)


class Bindings(Contract):
    """Every place of a graph that a job may change; nothing else of it ever changes.

    `checkpoints` (continuation graphs only) maps an output of the segment before to the inputs
    that load it.
    """

    bindings_version: Literal[1]
    parameters: dict[str, tuple[NodeInput, ...]]
    switches: dict[str, Switch]
    media: dict[str, MediaBinding]
    slots: dict[Literal["output_prefix"], tuple[NodeInput, ...]]
    outputs: dict[Token, OutputBinding] = Field(min_length=1)
    checkpoints: dict[Token, tuple[NodeInput, ...]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GraphPart:
    """A graph with the bindings that belong to it."""

    graph: Graph
    bindings: Bindings


class RequiredAsset(Contract):
    """An asset without which the workflow cannot run, and the media parameter it feeds."""

    role: Role
    kind: MediaKind
    parameter: str


class ModelFile(Contract):
    """A file the engine must hold: its folder under models/ (or the package that fetches it) and
    the "<class>.<input>" whose list of choices shows it."""

    folder: str
    file: str
    loader: str

    @property
    def node_class(self) -> str:
        """The class of the loader node."""
        return self.loader.partition(".")[0]

    @property
    def input_name(self) -> str:
        """The input of the loader node that names the file."""
        return self.loader.partition(".")[2]


class CustomNodes(Contract):
    """A package of nodes that is not part of the engine, and the classes used of it."""

    package: str
    classes: tuple[str, ...]


class Continuation(Contract):
    """How a video goes on in further segments, each a prompt of its own.

    A further segment delivers its length plus `frames_beyond_length` (Animate repeats five frames;
    S2V yields four for each latent), and saves the `overlap_frames` before its own, so that the
    seam can be checked. `history_latents`: how many latents a checkpoint holds (S2V; from 36 on
    decoding is exact). Source: facts on segments.
    """

    segments_max: int = Field(ge=2)
    length_min: int = Field(gt=0)
    frames_beyond_length: int
    overlap_frames: int = Field(gt=0)
    history_latents: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _on_the_grid(self) -> Continuation:
        if self.length_min % 4 != 1 or (1 + self.frames_beyond_length) % 4 != 0:
            raise ValueError("lengths must be 4 k + 1, and segments deliver multiples of 4")
        return self


class FrameRule(Contract):
    """How many frames a graph yields: lengths are 4 k + 1, delivered is length plus a constant.

    Source: facts of the graphs (Animate yields its length; S2V decodes its first latent twice and
    drops three frames, so one more than its length).
    """

    fps: int = Field(gt=0)
    length_min: int = Field(gt=0)
    length_max: int = Field(gt=0)
    frames_beyond_length: int = Field(ge=0)
    continuation: Continuation | None = None

    @model_validator(mode="after")
    def _on_the_grid(self) -> FrameRule:
        if self.length_min % 4 != 1 or self.length_max % 4 != 1:
            raise ValueError("lengths must be 4 k + 1")
        return self

    @property
    def segments_max(self) -> int:
        """The most segments of one video."""
        return self.continuation.segments_max if self.continuation else 1

    def frames_of(self, segments: int) -> int:
        """The most frames that so many segments deliver; beyond the last allowed one, no more."""
        frames = self.length_max + self.frames_beyond_length
        if self.continuation:
            further = min(segments, self.segments_max) - 1
            frames += further * (self.length_max + self.continuation.frames_beyond_length)
        return frames

    @property
    def frames_max(self) -> int:
        """The most frames that one video has."""
        return self.frames_of(self.segments_max)

    @property
    def frames_min(self) -> int:
        """The fewest frames that one video has."""
        return self.length_min + self.frames_beyond_length

    @property
    def duration_max_s(self) -> float:
        """The longest delivered video in seconds."""
        return self.frames_max / self.fps


class Profile(Contract):
    """What a quality profile means for one workflow; sizes are (width, height) in pixels."""

    precision: Precision
    parameters: dict[str, Scalar]
    switches: dict[str, bool]
    sizes: dict[AspectRatio, tuple[int, int]]

    @property
    def cfg(self) -> float:
        """The guidance scale; at 1 a negative prompt and an adherence have no effect."""
        return float(self.parameters["cfg"])

    @property
    def guided(self) -> bool:
        """True when the guidance scale differs from 1, so that guidance settings have a wire."""
        return self.cfg != 1.0


class DeadlineRule(Contract):
    """How long a step may run: a base for loading, and seconds per megapixel frame and pass."""

    base_s: int = Field(gt=0)
    s_per_megapixel_step: float = Field(gt=0)


class Manifest(Contract):
    """The metadata of SRS §20 and everything else that is said about a version in one place."""

    manifest_version: Literal[1]
    workflow_name: Token
    workflow_version: str
    title: str
    family: Token
    mode: Mode
    submode: str | None
    engine_kind: Literal["comfyui"]
    model_family: str
    compatible_backend_version: str
    required_assets: tuple[RequiredAsset, ...]
    required_models: tuple[ModelFile, ...]
    custom_nodes: tuple[CustomNodes, ...]
    node_classes: tuple[str, ...]
    frames: FrameRule
    profiles: dict[QualityProfile, Profile]
    settings: tuple[str, ...]
    adherence_cfg: dict[str, float] = Field(default_factory=dict)
    deadline: DeadlineRule

    @field_validator("compatible_backend_version")
    @classmethod
    def _names_versions(cls, wanted: str) -> str:
        try:
            SpecifierSet(wanted)
        except InvalidSpecifier as odd:
            raise ValueError(f"{wanted!r} names no versions, as >=0.3.64 does") from odd
        return wanted


Slot = tuple[Mode, str | None]
"""What a workflow makes: a mode and, where the mode has several workflows, a submode."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkflowVersion:
    """A released version: the graph of a first segment, and of further ones where there may be
    such. `ref.sha256` covers everything. Read once a process, so versions compare by identity."""

    ref: WorkflowRef
    graph: Graph
    bindings: Bindings
    manifest: Manifest
    continuation: GraphPart | None = None

    @property
    def parts(self) -> tuple[GraphPart, ...]:
        """The first segment's graph, then the further ones' where there is one."""
        first = GraphPart(self.graph, self.bindings)
        return (first, self.continuation) if self.continuation else (first,)

    @property
    def slot(self) -> Slot:
        """The mode and submode that the version makes; one version of a slot is active."""
        return self.manifest.mode, self.manifest.submode

    def lane(self, precision: Precision) -> str:
        """The lane on which the version runs at a precision."""
        return lane_name(self.manifest.engine_kind, self.manifest.family, precision)
