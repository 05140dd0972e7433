"""Known assets, requests, engines and prepared media that tests of planning start from.

Everything is fixed, so that plans and bound graphs compare byte by byte.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from contracts.base import StoredFile
from contracts.engines import (
    AnimateDiffCapability,
    DeforumCapability,
    EngineSnapshot,
    WebuiCapabilities,
)
from contracts.media import (
    AudioFacts,
    ImageFacts,
    MediaFacts,
    MediaOrder,
    PreparedMedia,
    VideoFacts,
    recipe_id,
)
from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.assets import KnownAsset
from planning.planner import PlanLimits, Refusal, plan
from planning.registry import WorkflowRegistry, load_workflows
from planning.requests import (
    AnimateRequest,
    AudioPerformanceRequest,
    JobRequest,
    MotionClipRequest,
    PoseControlRequest,
    StartEndRequest,
)
from planning.workflow import WorkflowVersion

WORKFLOWS = load_workflows()
SEED = 7


def asset_id(number: int) -> str:
    """The n-th asset id."""
    return str(uuid.UUID(int=number))


def sha(text: object) -> str:
    """A hash that stands for some bytes."""
    return hashlib.sha256(str(text).encode()).hexdigest()


IMAGE, VIDEO, AUDIO, CHECKING, REJECTED, SILENT, SECOND_IMAGE = (asset_id(n) for n in range(1, 8))


def image_asset(number: int = 1, width_px: int = 512, height_px: int = 768) -> KnownAsset:
    facts = ImageFacts(width_px=width_px, height_px=height_px, format="png")
    return _ready(number, "image", facts)


def video_asset(number: int = 2, duration_s: float = 3.0, *, has_audio: bool = True) -> KnownAsset:
    facts = VideoFacts(
        width_px=640,
        height_px=480,
        fps_num=30000,
        fps_den=1001,
        frames=max(1, round(duration_s * 29.97)),
        duration_s=duration_s,
        codec="h264",
        container="mp4",
        has_audio=has_audio,
    )
    return _ready(number, "video", facts)


def audio_asset(number: int = 3, duration_s: float = 2.0) -> KnownAsset:
    facts = AudioFacts(
        sample_rate_hz=44_100, channels=1, duration_s=duration_s, codec="mp3", container="mp3"
    )
    return _ready(number, "audio", facts)


def _ready(number: int, kind: Any, facts: MediaFacts) -> KnownAsset:
    return KnownAsset(
        asset_id=asset_id(number), kind=kind, sha256=sha(number), status="ready", facts=facts
    )


def known(*assets: KnownAsset) -> dict[str, KnownAsset]:
    """The usual assets, with some replaced or added."""
    usual = (
        image_asset(),
        video_asset(),
        audio_asset(),
        KnownAsset(asset_id=CHECKING, kind="image", sha256=sha(4), status="checking"),
        KnownAsset(asset_id=REJECTED, kind="image", sha256=sha(5), status="rejected"),
        video_asset(6, has_audio=False),
        image_asset(7, 800, 600),
    )
    return {a.asset_id: a for a in (*usual, *assets)}


def animate(**changes: Any) -> AnimateRequest:
    """A good Animate request, with changes."""
    good = {"prompt": "she dances", "ground_truth_asset_id": IMAGE, "motion_video_asset_id": VIDEO}
    return AnimateRequest(**(good | changes))


def audio_performance(**changes: Any) -> AudioPerformanceRequest:
    """A good Audio Performance request, with changes."""
    good = {"prompt": "he sings", "ground_truth_asset_id": IMAGE, "audio_asset_id": AUDIO}
    return AudioPerformanceRequest(**(good | changes))


def start_end(**changes: Any) -> StartEndRequest:
    """A good Start and end frame request with both frames, with changes."""
    good = {"prompt": "day", "start_frame_asset_id": IMAGE, "end_frame_asset_id": SECOND_IMAGE}
    return StartEndRequest(**(good | changes))


def pose_control(**changes: Any) -> PoseControlRequest:
    """A good Pose control request, with changes."""
    good = {
        "prompt": "she bows",
        "ground_truth_asset_id": IMAGE,
        "control_video_asset_id": VIDEO,
    }
    return PoseControlRequest(**(good | changes))


def pose_sheet(*sheets: str, **changes: Any) -> PoseControlRequest:
    """A good Pose control request with pose sheets in place of a video."""
    given = {"control_video_asset_id": None, "pose_sheet_asset_ids": sheets or (IMAGE,)}
    return pose_control(**(given | changes))


def engine(
    engine_id: str = "comfyui-0",
    *,
    without_classes: tuple[str, ...] = (),
    without_files: tuple[str, ...] = (),
    **changes: Any,
) -> EngineSnapshot:
    """An engine that has all that any workflow needs, except what is named."""
    models = [m for v in WORKFLOWS.versions for m in v.manifest.required_models]
    choices: dict[str, set[str]] = {}
    for model in models:
        offered = choices.setdefault(model.loader, set())
        if model.file not in without_files:
            offered.add(model.file)
    classes = {c for v in WORKFLOWS.versions for c in v.manifest.node_classes}
    fields: dict[str, Any] = {
        "engine_id": engine_id,
        "kind": "comfyui",
        "simulated": False,
        "version": "0.3.64",
        "health": "ready",
        "seen_at": datetime(2026, 1, 2, tzinfo=UTC),
        "node_classes": tuple(sorted(classes - set(without_classes))),
        "choices": {loader: tuple(sorted(files)) for loader, files in sorted(choices.items())},
    }
    return EngineSnapshot(**(fields | changes))


ANIMATEDIFF_KEYS = (
    "model",
    "enable",
    "video_length",
    "fps",
    "format",
    "batch_size",
    "closed_loop",
    "stride",
    "overlap",
    "latent_power",
    "latent_scale",
)


def webui(engine_id: str = "webui-0", **changes: Any) -> EngineSnapshot:
    """A WebUI with both extensions; `webui` and other fields may be changed."""
    there: dict[str, Any] = {
        "flavour": "a1111",
        "missing": (),
        "checkpoint": "sd15.safetensors",
        "checkpoints": ("sd15.safetensors",),
        "samplers": ("DDIM", "Euler a"),
        "upscalers": ("None", "Lanczos", "R-ESRGAN 4x+"),
        "animatediff": AnimateDiffCapability(
            missing=(),
            motion_models=("mm_a.safetensors", "mm_b.safetensors"),
            txt2img_keys=ANIMATEDIFF_KEYS,
            img2img_keys=ANIMATEDIFF_KEYS,
        ),
        "deforum": DeforumCapability(missing=(), transfer="http"),
    }
    fields: dict[str, Any] = {
        "engine_id": engine_id,
        "kind": "webui",
        "simulated": False,
        "version": "1.8.0",
        "health": "ready",
        "seen_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    parts = {name: changes.pop(name) for name in list(changes) if name in there}
    return EngineSnapshot(**(fields | changes), webui=WebuiCapabilities(**(there | parts)))


STILL: dict[str, Any] = {"kind": "txt2img"}
RENDER: dict[str, Any] = {"kind": "video_render"}


def frames(backend: str = "animatediff", **changes: Any) -> dict[str, Any]:
    """A video_frames stage as a user writes it."""
    return {"kind": "video_frames", "backend": f"webui_{backend}", **changes}


def motion_clip(*stages: dict[str, Any], **changes: Any) -> MotionClipRequest:
    """A Motion clip request of these stages, with a prompt unless changed."""
    good: dict[str, Any] = {"prompt": "a lake"}
    asked = {**good, **({"stages": stages} if stages else {}), **changes}
    return MotionClipRequest.model_validate(asked)


def planned(
    request: JobRequest,
    *assets: KnownAsset,
    engines: tuple[EngineSnapshot, ...] = (engine(),),
    limits: PlanLimits | None = None,
    workflows: WorkflowRegistry = WORKFLOWS,
) -> JobPlan:
    """The plan of a request that must be accepted."""
    made = plan(request, known(*assets), workflows, engines, SEED, limits)
    assert isinstance(made, JobPlan), made
    return made


def refused(
    request: JobRequest,
    *assets: KnownAsset,
    engines: tuple[EngineSnapshot, ...] = (engine(),),
) -> Refusal:
    """The refusal of a request that must not be accepted."""
    made = plan(request, known(*assets), WORKFLOWS, engines, SEED)
    assert isinstance(made, Refusal), made
    return made


def prepare(order: MediaOrder) -> PreparedMedia:
    """What ingest would answer to an order, with a hash in place of bytes."""
    facts: MediaFacts
    recipe = order.recipe
    if recipe.kind == "image":
        suffix = "png"
        facts = ImageFacts(width_px=recipe.width_px, height_px=recipe.height_px, format="png")
    elif recipe.kind == "video":
        suffix = "mp4"
        facts = VideoFacts(
            width_px=recipe.width_px,
            height_px=recipe.height_px,
            fps_num=recipe.fps,
            fps_den=1,
            frames=recipe.frames,
            duration_s=recipe.frames / recipe.fps,
            codec="h264",
            container="mp4",
            has_audio=recipe.keep_audio,
        )
    else:
        suffix = "flac"
        facts = AudioFacts(
            sample_rate_hz=recipe.sample_rate_hz,
            channels=recipe.channels,
            duration_s=recipe.duration_s,
            codec="flac",
            container="flac",
        )
    name = recipe_id(recipe)
    file = StoredFile(
        key=f"derivatives/{order.asset_sha256}/{name}/media.{suffix}",
        sha256=sha(f"{order.asset_sha256}/{name}"),
        size_bytes=1000,
    )
    return PreparedMedia(
        role=order.role,
        index=order.index,
        asset_id=order.asset_id,
        asset_sha256=order.asset_sha256,
        recipe_id=name,
        file=file,
        facts=facts,
    )


def bindable(made: JobPlan) -> tuple[WorkflowVersion, ComfyWorkflowStage, list[PreparedMedia]]:
    """What bind takes, for a plan of one stage."""
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    return WORKFLOWS.pinned(stage.workflow), stage, [prepare(o) for o in made.media]
