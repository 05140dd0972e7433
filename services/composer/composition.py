"""Composes a job: the record, the bound graph of every step, and the run plan, as bytes.

Pure and deterministic: the same events and workflows give the same bytes in every process. Must
not store or publish anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from contracts import keys
from contracts.base import StoredFile, canonical_bytes, sha256_hex
from contracts.events import JobSubmitted, MediaPrepared
from contracts.media import PreparedMedia, recipe_id
from contracts.plan import (
    AnyStep,
    Delivery,
    JobPlan,
    NormalizedJobRecord,
    RunPlan,
    Step,
    StepCheckpoint,
)
from contracts.stages import ComfyWorkflowStage, Segment, VideoRenderStage
from planning.binding import BindingFailed, bind
from planning.registry import WorkflowRegistry
from planning.workflow import DeadlineRule
from services.composer.chains import render_order, webui_step


@dataclass(frozen=True, slots=True)
class Composition:
    """A composed job. `files` maps media keys to bytes, in the order they are to be stored."""

    run_plan: RunPlan
    run_plan_file: StoredFile
    files: Mapping[str, bytes]


def compose(
    submitted: JobSubmitted, prepared: MediaPrepared, workflows: WorkflowRegistry
) -> Composition:
    """Everything that running the job needs.

    Raises BindingFailed when plan, media and workflow do not fit together, WorkflowCorrupt when
    the pinned workflow version is gone or differs.
    """
    plan, job_id = submitted.plan, submitted.job_id
    _check_media(plan, prepared.prepared)
    files: dict[str, bytes] = {}
    record = _keep(
        files, keys.job_record(job_id), canonical_bytes(_record(submitted, prepared.prepared))
    )
    steps: list[AnyStep] = []
    for number, stage in enumerate(plan.stages):
        if isinstance(stage, ComfyWorkflowStage):
            for segment in stage.segments:
                place = (len(steps), number)
                made = _step(job_id, place, stage, segment, prepared.prepared, workflows, files)
                steps.append(made)
        elif not isinstance(stage, VideoRenderStage):
            steps.append(webui_step(job_id, number, stage, steps, prepared.prepared))
    delivery = _delivery(plan, prepared, steps)
    run_plan = RunPlan(
        job_id=job_id,
        record=record,
        steps=tuple(steps),
        render=render_order(plan, job_id, steps, prepared.prepared, delivery.video_key),
        delivery=delivery,
    )
    run_plan_file = _keep(files, keys.run_plan(job_id), canonical_bytes(run_plan))
    return Composition(run_plan=run_plan, run_plan_file=run_plan_file, files=files)


def deadline_of(rule: DeadlineRule, stage: ComfyWorkflowStage, frames: int) -> int:
    """Seconds a step may run: time to load, and time for every megapixel frame of every pass.

    Guidance above 1 runs the model twice for each sampling step.
    """
    passes = float(stage.parameters["steps"]) * (2 if float(stage.parameters["cfg"]) != 1.0 else 1)
    megapixels = stage.width_px * stage.height_px * frames / 1e6
    return rule.base_s + math.ceil(rule.s_per_megapixel_step * megapixels * passes)


def _keep(files: dict[str, bytes], key: str, data: bytes) -> StoredFile:
    files[key] = data
    return StoredFile(key=key, sha256=sha256_hex(data), size_bytes=len(data))


def _check_media(plan: JobPlan, prepared: tuple[PreparedMedia, ...]) -> None:
    ordered = {(o.role, o.index): (o.asset_sha256, recipe_id(o.recipe)) for o in plan.media}
    made = {(p.role, p.index): (p.asset_sha256, p.recipe_id) for p in prepared}
    if ordered != made:
        odd = sorted(f"{role} {index}" for role, index in ordered.keys() | made.keys())
        raise BindingFailed(f"prepared media are not those the plan ordered: {', '.join(odd)}")


def _record(submitted: JobSubmitted, prepared: tuple[PreparedMedia, ...]) -> NormalizedJobRecord:
    plan = submitted.plan
    return NormalizedJobRecord(
        job_id=submitted.job_id,
        owner=submitted.owner,
        submitted_at=submitted.occurred_at,
        mode=plan.mode,
        prompt=plan.prompt,
        resolved_prompt=plan.resolved_prompt,
        negative_prompt=plan.negative_prompt,
        seed=plan.seed,
        aspect_ratio=plan.aspect_ratio,
        quality_profile=plan.quality_profile,
        settings=plan.settings,
        assets=plan.assets,
        prepared=prepared,
        stages=plan.stages,
        delivery=plan.delivery,
        soundtrack=plan.soundtrack,
        prompt_pack=plan.prompt_pack,
        origins=plan.origins,
    )


def _step(
    job_id: str,
    place: tuple[int, int],
    stage: ComfyWorkflowStage,
    segment: Segment,
    prepared: tuple[PreparedMedia, ...],
    workflows: WorkflowRegistry,
    files: dict[str, bytes],
) -> Step:
    index, number = place
    version = workflows.pinned(stage.workflow)
    bound = bind(version, stage, segment, prepared)
    return Step(
        index=index,
        stage=number,
        segment=segment.index,
        lane=version.lane(stage.precision),
        graph=_keep(files, keys.step_graph(job_id, index), bound.graph_bytes),
        uploads=bound.uploads,
        checkpoints=tuple(
            StepCheckpoint(step=index - 1, output=output, at=places)
            for output, places in bound.checkpoints.items()
        ),
        slots=bound.slots,
        outputs=bound.outputs,
        output_key_prefix=f"jobs/{job_id}/steps/{index}",
        expected_frames=segment.frames,
        deadline_s=deadline_of(version.manifest.deadline, stage, segment.frames),
    )


def _delivery(plan: JobPlan, prepared: MediaPrepared, steps: list[AnyStep]) -> Delivery:
    job_id = prepared.job_id
    soundtrack = next((p.file for p in prepared.prepared if p.role == plan.soundtrack), None)
    if plan.soundtrack is not None and soundtrack is None:
        raise BindingFailed(f"the plan has a {plan.soundtrack} that was not prepared")
    outputs = (o for step in steps if isinstance(step, Step) for o in step.outputs)
    posed = any(output.name == "pose_preview" for output in outputs)
    return Delivery(
        frame=plan.delivery,
        soundtrack=soundtrack,
        video_key=keys.job_output(job_id, plan.video_name),
        poster_key=keys.job_output(job_id, "poster.jpg"),
        first_frame_key=keys.job_output(job_id, "first_frame.jpg"),
        preview_key=keys.job_output(job_id, "preview.webp"),
        pose_preview_key=keys.job_output(job_id, "pose_preview.mp4") if posed else None,
        manifest_key=keys.job_output(job_id, "job_manifest.json"),
        debug_metadata_key=keys.job_output(job_id, "debug_metadata.json"),
    )
