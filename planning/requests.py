"""What may be asked for, one frozen model per mode, with the field names of SRS §17.

Wrong types and unknown fields are refused here; everything that depends on anything else (missing
assets, conflicts, limits) is refused by the planner, in sentences. Must not hold any rule.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract
from contracts.media import CropBox
from contracts.plan import QualityProfile
from planning.chain_requests import RenderChoice, StageChoice, VideoRenderChoice

MAX_SEED = 2**53 - 1
"""Largest seed: what a browser's numbers hold exactly (engines take 64 bits)."""

ShortText = Annotated[str, Field(max_length=120)]
FramingMode = Literal["portrait", "half_body", "full_body"]
AudioAdherence = Literal["loose", "balanced", "strict"]
AnimateSubmode = Literal["move", "mix"]
ControlKind = Literal["pose", "canny", "depth", "trajectory"]
"""`trajectory` is known only to be refused clearly."""


class SharedRequest(Contract):
    """The shared fields (SRS §17.1). The planner refuses absent asset ids.

    `render` asks for another file than the usual MP4; in a stage chain it is a last video_render.
    """

    prompt: str = Field(default="", max_length=20_000)
    negative_prompt: str | None = Field(default=None, max_length=20_000)
    ground_truth_asset_id: str | None = Field(default=None, max_length=64)
    reference_asset_ids: tuple[str, ...] = Field(default=(), max_length=100)
    pose_sheet_asset_ids: tuple[str, ...] = Field(default=(), max_length=100)
    key_pose_hints: tuple[ShortText, ...] = Field(default=(), max_length=8)
    keywords: tuple[ShortText, ...] = Field(default=(), max_length=12)
    aspect_ratio: str = Field(default="9:16", max_length=16)
    quality_profile: QualityProfile = "standard"
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    duration_override_seconds: float | None = Field(default=None, gt=0, le=3600)
    crop: CropBox | None = None
    extension_segments: int | None = Field(default=None, ge=0, le=1000)
    render: RenderChoice | None = None

    @property
    def submode(self) -> str | None:
        """Which of the mode's workflows is asked for; None where a mode has one."""
        return None

    @property
    def asset_ids(self) -> frozenset[str]:
        """Every asset that the request names."""
        named: list[str] = []
        for field in type(self).model_fields:
            value = getattr(self, field)
            if field.endswith("_asset_id") and value:
                named.append(value)
            elif field.endswith("_asset_ids"):
                named += value
        if self.render is not None:
            named.append(self.render.audio_asset_id or "")
        return frozenset(filter(None, named))


class AnimateRequest(SharedRequest):
    """POST /api/jobs/animate (SRS §17.2). `audio_asset_id` is known only to be refused clearly."""

    mode: Literal["animate"] = "animate"
    motion_video_asset_id: str | None = Field(default=None, max_length=64)
    animate_submode: AnimateSubmode = "move"
    background_preservation: bool | None = None
    relighting: bool | None = None
    audio_asset_id: str | None = Field(default=None, max_length=64)

    @property
    def submode(self) -> str | None:
        """Move or mix."""
        return self.animate_submode


class AudioPerformanceRequest(SharedRequest):
    """POST /api/jobs/audio-performance (SRS §17.3). `motion_video_asset_id` is known only to be
    refused clearly."""

    mode: Literal["audio_performance"] = "audio_performance"
    audio_asset_id: str | None = Field(default=None, max_length=64)
    framing_mode: FramingMode | None = None
    audio_adherence_profile: AudioAdherence | None = None
    motion_video_asset_id: str | None = Field(default=None, max_length=64)


class StartEndRequest(SharedRequest):
    """POST /api/jobs/start-end: a first frame, a last frame, or both. What only other modes use is
    known only to be refused clearly."""

    mode: Literal["start_end"] = "start_end"
    start_frame_asset_id: str | None = Field(default=None, max_length=64)
    end_frame_asset_id: str | None = Field(default=None, max_length=64)


class PoseControlRequest(SharedRequest):
    """POST /api/jobs/pose-control: a control video, or pose sheets held one after the other."""

    mode: Literal["pose_control"] = "pose_control"
    control_video_asset_id: str | None = Field(default=None, max_length=64)
    control_kind: ControlKind = "pose"

    @property
    def submode(self) -> str | None:
        """The kind of control; pose sheets without a video have a workflow of their own."""
        if self.pose_sheet_asset_ids and not self.control_video_asset_id:
            return "pose_sheet"
        return self.control_kind


class MotionClipRequest(SharedRequest):
    """POST /api/jobs/motion-clip: a chain of stages. `ground_truth_asset_id` is what img2img starts
    from. A prompt pack ("name" or "name@version") stands in place of the prompts."""

    mode: Literal["motion_clip"] = "motion_clip"
    stages: tuple[StageChoice, ...] | None = Field(default=None, max_length=8)
    still_asset_ids: tuple[str, ...] = Field(default=(), max_length=100)
    prompt_pack: str | None = Field(default=None, max_length=100)

    @property
    def asset_ids(self) -> frozenset[str]:
        """Every asset that the request names, those of its stages too."""
        rendering = (s for s in self.stages or () if isinstance(s, VideoRenderChoice))
        sounds = {stage.audio_asset_id for stage in rendering if stage.audio_asset_id}
        return super().asset_ids | sounds


JobRequest = (
    AnimateRequest
    | AudioPerformanceRequest
    | StartEndRequest
    | PoseControlRequest
    | MotionClipRequest
)
AnyJobRequest = Annotated[JobRequest, Field(discriminator="mode")]
"""A request of any mode, told apart by its `mode`."""
