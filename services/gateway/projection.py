"""What a job's or an asset's events say of it, as the values of a row. Pure.

The read model stores these rows and the gateway answers from them; when the read model lags the
same functions make the row from the bus. No clock, no ids of its own: equal events, equal rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contracts.errors import ErrorInfo
from contracts.events import (
    AnyAssetEvent,
    AnyJobEvent,
    AssetReady,
    AssetRejected,
    AssetUploaded,
    JobCompleted,
    StepAssigned,
    StepFinished,
    StepReady,
)
from contracts.lifecycle import JobState, apply, refusal
from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage, Stage, VideoRenderStage

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoldedJob:
    """A job after its events so far, with the stream places that a row needs."""

    state: JobState
    sequence: int = 0
    submitted_sequence: int = 0
    ready_sequence: int | None = None
    updated_at: datetime | None = None


def new_job(job_id: str) -> FoldedJob:
    """A job of which nothing is known."""
    return FoldedJob(JobState(job_id))


def fold_job(before: FoldedJob, event: AnyJobEvent, sequence: int) -> tuple[FoldedJob, str | None]:
    """The job after one more event, and why the event was ignored (None when it was not)."""
    why = refusal(before.state, event)
    if why is not None:
        return before, why
    after = replace(
        before,
        state=apply(before.state, event),
        sequence=sequence,
        updated_at=event.occurred_at,
        submitted_sequence=before.submitted_sequence or sequence,
    )
    if isinstance(event, StepReady):
        after = replace(after, ready_sequence=sequence)
    return after, None


def fold_jobs(job_id: str, events: Iterable[tuple[int, AnyJobEvent]]) -> FoldedJob:
    """The job after all these (sequence, event)."""
    folded = new_job(job_id)
    for sequence, event in events:
        folded, _ = fold_job(folded, event, sequence)
    return folded


def workflow_template(plan: JobPlan) -> str | None:
    """Name and version of the first pinned workflow, as `name@version`."""
    for stage in plan.stages:
        if isinstance(stage, ComfyWorkflowStage):
            return f"{stage.workflow.name}@{stage.workflow.version}"
    return None


def public_error(error: ErrorInfo) -> Row:
    """What a user may read of an error: without the exact cause."""
    return error.model_dump(mode="json", exclude={"detail"})


def job_row(folded: FoldedJob) -> Row:
    """The row of a submitted job (services.gateway.adapters.db.tables.jobs)."""
    state, submitted = folded.state, folded.state.submitted
    if submitted is None or state.state is None:
        raise ValueError("a job without job_submitted has no row")
    plan = submitted.plan
    simulated = state.completed.simulated if state.completed else None
    if simulated is None and state.started is not None:
        simulated = state.started.simulated
    return {
        "job_id": state.job_id,
        "sequence": folded.sequence,
        "submitted_sequence": folded.submitted_sequence,
        "ready_sequence": folded.ready_sequence,
        "owner": submitted.owner,
        "mode": plan.mode,
        "workflow_template": workflow_template(plan),
        "status": state.state,
        "prompt": plan.prompt,
        "negative_prompt": plan.negative_prompt,
        "settings": {
            **plan.settings,
            "seed": plan.seed,
            "aspect_ratio": plan.aspect_ratio,
            "quality_profile": plan.quality_profile,
        },
        "assets": [
            use.model_dump(mode="json", include={"role", "index", "asset_id", "used", "note"})
            for use in plan.assets
        ],
        "delivery": plan.delivery.model_dump(mode="json"),
        "notes": list(plan.notes),
        "comfy_prompt_id": state.comfy_prompt_id,
        "lane": state.ready.lane if state.ready else None,
        "attempt": state.attempt,
        "step": state.ready.step if state.ready else 0,
        "steps": _steps(state),
        "running_since": _running_since(state),
        "cancel_requested": state.cancel is not None,
        "simulated": simulated,
        "error": public_error(state.failed.error) if state.failed else None,
        "deleted": state.deleted,
        "created_at": submitted.occurred_at,
        "updated_at": folded.updated_at,
    }


def _running_since(state: JobState) -> datetime | None:
    """When the engine began the step that it runs now."""
    started, ready = state.started, state.ready
    if state.state != "executing" or started is None or ready is None:
        return None
    same = (started.step, started.attempt) == (ready.step, ready.attempt)
    return started.occurred_at if same and started.step not in state.finished else None


def run_rows(job: FoldedJob, event: StepFinished, sequence: int) -> list[Row]:
    """The row from which run times are learnt, none for a step that is not a workflow's.

    Its length is the job's delivered frames per step: known also of jobs that still wait.
    """
    submitted = job.state.submitted
    workflow = workflow_template(submitted.plan) if submitted else None
    if submitted is None or workflow is None:
        return []
    return [
        {
            "sequence": sequence,
            "job_id": event.job_id,
            "workflow_template": workflow,
            "quality_profile": submitted.plan.quality_profile,
            "simulated": event.result.engine.simulated,
            "frames": submitted.plan.delivery.frames / _steps(job.state),
            "waited_s": event.result.waited_s,
            "ran_s": event.result.ran_s,
        }
    ]


def _steps(state: JobState) -> int:
    if state.composed is not None:
        return max(1, state.composed.steps)
    stages = state.submitted.plan.stages if state.submitted else ()
    return max(1, sum(_steps_of(stage) for stage in stages))


def _steps_of(stage: Stage) -> int:
    if isinstance(stage, ComfyWorkflowStage):
        return len(stage.segments)
    return 0 if isinstance(stage, VideoRenderStage) else 1


def prompt_row(event: StepAssigned, sequence: int) -> Row:
    """The row that leads from a prompt id to its job."""
    return {
        "comfy_prompt_id": event.comfy_prompt_id,
        "job_id": event.job_id,
        "step": event.step,
        "attempt": event.attempt,
        "engine_id": event.engine_id,
        "sequence": sequence,
    }


def outputs_row(event: JobCompleted, sequence: int) -> Row:
    """The row of a job's delivered files; the output's id is that of the event that made it."""
    return {
        "job_id": event.job_id,
        "sequence": sequence,
        "output_id": event.event_id,
        "attempt": event.attempt,
        "simulated": event.simulated,
        "files": event.outputs.model_dump(mode="json"),
        "created_at": event.occurred_at,
    }


def fold_asset(before: Row | None, event: AnyAssetEvent, sequence: int) -> Row | None:
    """The asset's row after one more event, or `before` itself when the event changes nothing."""
    match event:
        case AssetUploaded() if before is None:
            return {
                "asset_id": event.asset_id,
                "sequence": sequence,
                "uploaded_sequence": sequence,
                "owner": event.owner,
                "kind": event.kind,
                "mime_type": event.mime_type,
                "filename": event.filename,
                "media_key": event.file.key,
                "sha256": event.file.sha256,
                "size_bytes": event.file.size_bytes,
                "status": "checking",
                "facts": None,
                "thumbnail_key": None,
                "error": None,
                "created_at": event.occurred_at,
            }
        case AssetReady() if before is not None and before["status"] == "checking":
            return {
                **before,
                "sequence": sequence,
                "status": "ready",
                "facts": event.facts.model_dump(mode="json"),
                "thumbnail_key": event.thumbnail.key,
            }
        case AssetRejected() if before is not None and before["status"] == "checking":
            return {
                **before,
                "sequence": sequence,
                "status": "rejected",
                "error": public_error(event.error),
            }
    return before


def fold_assets(events: Iterable[AnyAssetEvent], last_sequence: int = 0) -> Row | None:
    """The row of one asset after all its events, or None when it was never uploaded."""
    row: Row | None = None
    for event in events:
        row = fold_asset(row, event, last_sequence)
    return row
