"""One example of every event and of the records inside, with fixed ids and times.

Used by contract tests and wherever a test needs a whole, valid event. Must stay deterministic.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from contracts import events as e
from contracts.base import StoredFile
from contracts.errors import ErrorCode, error_info
from contracts.media import (
    AudioRecipe,
    ImageFacts,
    ImageRecipe,
    MediaOrder,
    PreparedMedia,
    VideoFacts,
    VideoRecipe,
    recipe_id,
)
from contracts.plan import AssetUse, EngineUsed, Frame, JobPlan, StepOutput, StepResult
from contracts.stages import ComfyWorkflowStage, MediaInput, Segment, WorkflowRef

JOB = "01939d5c-7a00-7000-8000-000000000001"
OTHER_JOB = "01939d5c-7a00-7000-8000-000000000002"
IMAGE = "01939d5c-7a00-7000-8000-00000000000a"
VIDEO = "01939d5c-7a00-7000-8000-00000000000b"
PROMPT = "7b0f9f3e-5a51-5c58-9a5e-0f4f2d1c9b10"
LANE = "comfyui-animate-fp8"
_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_SHA = "ab" * 32


def stored(key: str = "jobs/x/run_plan.json") -> StoredFile:
    """A stored file with a fixed hash."""
    return StoredFile(key=key, sha256=_SHA, size_bytes=1234)


def head(number: int) -> dict[str, Any]:
    """The stamp of the n-th example event."""
    return {
        "event_id": f"01939d5c-7a00-7000-9000-{number:012x}",
        "occurred_at": _AT,
        "causation_id": f"01939d5c-7a00-7000-9000-{number - 1:012x}" if number else None,
    }


IMAGE_FACTS = ImageFacts(width_px=768, height_px=1024, format="png")
VIDEO_FACTS = VideoFacts(
    width_px=1280,
    height_px=720,
    fps_num=30000,
    fps_den=1001,
    frames=150,
    duration_s=5.005,
    codec="h264",
    container="mp4",
    has_audio=True,
)


def job_plan() -> JobPlan:
    """A plan for Animate (move), draft, one segment."""
    image = ImageRecipe(width_px=480, height_px=832)
    video = VideoRecipe(width_px=480, height_px=832, fps=16, frames=77)
    sound = AudioRecipe(sample_rate_hz=48000, channels=2, duration_s=77 / 16)
    stage = ComfyWorkflowStage(
        workflow=WorkflowRef(
            family="animate", name="wan22_animate_move", version="1.0.0", sha256=_SHA
        ),
        precision="fp8",
        parameters={"prompt": "she dances", "seed": 7, "steps": 6, "cfg": 1.0, "length": 77},
        media=(
            MediaInput(parameter="reference_image", role="ground_truth"),
            MediaInput(parameter="driving_video", role="motion_video"),
        ),
        width_px=480,
        height_px=832,
        fps=16,
        segments=(Segment(index=0, first_frame=0, frames=77),),
    )
    return JobPlan(
        mode="animate",
        prompt="she dances",
        resolved_prompt="she dances",
        negative_prompt="",
        seed=7,
        aspect_ratio="9:16",
        quality_profile="draft",
        settings={"animate_submode": "move"},
        assets=(
            AssetUse(role="ground_truth", asset_id=IMAGE, sha256=_SHA, facts=IMAGE_FACTS),
            AssetUse(role="motion_video", asset_id=VIDEO, sha256=_SHA, facts=VIDEO_FACTS),
        ),
        media=(
            MediaOrder(role="ground_truth", asset_id=IMAGE, asset_sha256=_SHA, recipe=image),
            MediaOrder(role="motion_video", asset_id=VIDEO, asset_sha256=_SHA, recipe=video),
            MediaOrder(role="soundtrack", asset_id=VIDEO, asset_sha256=_SHA, recipe=sound),
        ),
        stages=(stage,),
        delivery=Frame(width_px=480, height_px=832, fps=16, frames=77),
        soundtrack="soundtrack",
        notes=("The motion video was cut to 4.8 s.",),
    )


def step_result(step: int = 0, attempt: int = 1) -> StepResult:
    """A finished step with one video."""
    return StepResult(
        step=step,
        attempt=attempt,
        comfy_prompt_id=PROMPT,
        engine=EngineUsed(engine_id="comfyui-0", kind="comfyui", simulated=True, version="0.3.64"),
        outputs=(
            StepOutput(
                name="video",
                node="save",
                filename="out_00001_.mp4",
                file=stored(f"jobs/{JOB}/steps/{step}/attempt-{attempt}/video.mp4"),
            ),
        ),
        graph=stored(),
        engine_log=stored(),
        waited_s=0.25,
        ran_s=12.5,
    )


def prepared() -> tuple[PreparedMedia, ...]:
    """The prepared media of the example plan."""
    plan = job_plan()
    facts = (IMAGE_FACTS, VIDEO_FACTS, VIDEO_FACTS)
    return tuple(
        PreparedMedia(
            role=order.role,
            asset_id=order.asset_id,
            asset_sha256=order.asset_sha256,
            recipe_id=recipe_id(order.recipe),
            file=stored(f"derivatives/{order.asset_sha256}/{order.role}/media.mp4"),
            facts=found,
        )
        for order, found in zip(plan.media, facts, strict=True)
    )


def job_outputs() -> e.JobOutputs:
    """The outputs of the example job."""
    files = {
        name: stored(f"jobs/{JOB}/outputs/{name}")
        for name in ("video", "poster", "first_frame", "preview", "manifest", "debug_metadata")
    }
    frame = Frame(width_px=480, height_px=832, fps=16, frames=77)
    return e.JobOutputs(**files, frame=frame, duration_s=frame.duration_s, has_audio=True)


def whole_job(job_id: str = JOB) -> list[e.AnyJobEvent]:
    """The events of a job from submit to completion, one step."""
    j: dict[str, Any] = {"job_id": job_id}
    at: dict[str, Any] = {"step": 0, "attempt": 1, "engine_id": "comfyui-0"}
    ready: dict[str, Any] = {
        "lane": LANE,
        "step": 0,
        "steps": 1,
        "stage": 0,
        "segment": 0,
        "attempt": 1,
    }
    return [
        e.JobSubmitted(**head(1), **j, owner="local", plan=job_plan()),
        e.MediaPrepared(**head(2), **j, prepared=prepared()),
        e.JobComposed(**head(3), **j, record=stored(), run_plan=stored(), steps=1),
        e.StepReady(**head(4), **j, **ready, run_plan=stored()),
        e.StepAssigned(
            **head(5), **j, **at, executor_id="x-1", lease_epoch=3, comfy_prompt_id=PROMPT
        ),
        e.StepStarted(**head(6), **j, **at, comfy_prompt_id=PROMPT, simulated=True),
        e.StepFinished(**head(7), **j, result=step_result()),
        e.ExecutionFinished(**head(8), **j, attempt=1, report=stored()),
        e.JobCompleted(**head(9), **j, attempt=1, simulated=True, outputs=job_outputs()),
    ]


def every_event() -> list[e.AnyEvent]:
    """One example of every event."""
    error = error_info(ErrorCode.ENGINE_FAILED, detail="KSampler: boom")
    rejected = error_info(ErrorCode.FILE_UNDECODABLE, detail="moov atom not found")
    j: dict[str, Any] = {"job_id": JOB}
    a: dict[str, Any] = {"asset_id": IMAGE}
    return [
        e.AssetUploaded(
            **head(20),
            **a,
            owner="local",
            kind="image",
            mime_type="image/png",
            filename="hero.png",
            file=stored(f"assets/{_SHA}/original.png"),
        ),
        e.AssetReady(**head(21), **a, facts=IMAGE_FACTS, thumbnail=stored("assets/t.jpg")),
        e.AssetRejected(**head(22), **a, error=rejected),
        *whole_job(),
        e.CancelRequested(**head(30), **j, requested_by="local"),
        e.RetryRequested(**head(31), **j, requested_by="operator", attempt=2),
        e.JobFailed(**head(32), **j, service="executor", error=error, step=0, attempt=1),
        e.JobCancelled(**head(33), **j, service="gateway"),
        e.JobDeleted(**head(34), **j, requested_by="local"),
    ]
