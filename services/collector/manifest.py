"""The two documents that every finished job leaves: job_manifest.json and debug_metadata.json.

Owns their shape and how they follow from record, plan, report and delivered files. Pure and
without a clock: every time in them was told by an event, so making them twice gives equal bytes.
Must not read a file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from contracts.base import Contract, MediaKey, Scalar, Sha256, StoredFile, Token, Uuid
from contracts.events import ExecutionFinished
from contracts.media import KeyPose, Role
from contracts.plan import (
    AspectRatio,
    ExecutionReport,
    Frame,
    Mode,
    NormalizedJobRecord,
    Origin,
    PromptPackRef,
    QualityProfile,
    RunPlan,
    StepResult,
)
from contracts.stages import ComfyWorkflowStage, Stage, WorkflowRef

ENGINE_LOG_LINES = 2000


class ManifestInput(Contract):
    """An asset of the job: its role and the hash of the bytes that were uploaded."""

    role: Role
    index: int
    asset_id: Uuid
    sha256: Sha256
    used: bool
    key_poses: tuple[KeyPose, ...] = ()


class ManifestMedium(Contract):
    """What was made of an asset for the engine, and by which recipe."""

    role: Role
    index: int
    asset_sha256: Sha256
    recipe_id: str
    sha256: Sha256
    size_bytes: int


class ManifestStep(Contract):
    """A step that ran: the engine, its prompt, and the hashes of what it yielded."""

    step: int
    stage: int
    segment: int
    attempt: int
    comfy_prompt_id: Uuid
    engine_id: Token
    engine_kind: Literal["comfyui", "webui"]
    engine_version: str
    simulated: bool
    graph_sha256: Sha256
    outputs: dict[str, Sha256]


class ManifestFile(Contract):
    """A delivered file."""

    name: str
    key: MediaKey
    sha256: Sha256
    size_bytes: int


class ManifestCredentials(Contract):
    """What signed the delivered files, and each file's hash before that.

    Whoever reads a file's C2PA manifest finds the certificate there; whether to trust it is the
    reader's choice. `digital_source_type` is the IPTC term that the files claim.
    """

    certificate_subject: str
    certificate_issuer: str
    certificate_sha256: Sha256
    digital_source_type: str
    tells_prompt: bool
    unsigned_sha256: dict[str, Sha256]


class JobManifest(Contract):
    """Everything needed to run the job again, and the hashes of what it delivered.

    `render_sha256` is the video before content credentials were signed into it,
    `delivered_sha256` the video as served; without signing they are equal. `kept_frames` are in
    order. The manifest does not list itself.
    """

    manifest_version: Literal[1] = 1
    job_id: Uuid
    attempt: int
    mode: Mode
    prompt: str
    resolved_prompt: str
    negative_prompt: str
    seed: int
    aspect_ratio: AspectRatio
    quality_profile: QualityProfile
    settings: dict[str, Scalar]
    inputs: tuple[ManifestInput, ...]
    prepared_media: tuple[ManifestMedium, ...]
    workflows: tuple[WorkflowRef, ...]
    stages: tuple[Stage, ...]
    prompt_pack: PromptPackRef | None = None
    origins: dict[str, Origin] = Field(default_factory=dict)
    soundtrack: Role | None
    soundtrack_sha256: Sha256 | None
    delivery: Frame
    record_sha256: Sha256
    run_plan_sha256: Sha256
    steps: tuple[ManifestStep, ...]
    comfy_prompt_ids: tuple[Uuid, ...]
    simulated: bool
    files: tuple[ManifestFile, ...]
    kept_frames: tuple[ManifestFile, ...] = ()
    credentials: ManifestCredentials | None = None
    render_sha256: Sha256
    delivered_sha256: Sha256
    made_by: str
    submitted_at: AwareDatetime
    executed_at: AwareDatetime


class StepDebug(Contract):
    """What happened in one step, for operators."""

    step: int
    stage: int
    segment: int
    attempt: int
    lane: Token
    comfy_prompt_id: Uuid
    engine_id: Token
    simulated: bool
    capability_snapshot: StoredFile | None
    waited_s: float
    ran_s: float
    graph_file: StoredFile
    graph: Any
    engine_messages: Any


class DebugMetadata(Contract):
    """How the job came about: bound graphs, stages, timings, engine messages, verification."""

    debug_version: Literal[1] = 1
    job_id: Uuid
    attempt: int
    made_by: str
    record: StoredFile
    run_plan: StoredFile
    report: StoredFile
    stages: tuple[Stage, ...]
    steps: tuple[StepDebug, ...]
    recoded: dict[str, str | None] = Field(
        description="per video why its pictures were coded anew; null: they are the engine's own"
    )
    verification: dict[str, Any] = Field(
        description="what the delivered videos were measured to be"
    )


def is_simulated(report: ExecutionReport) -> bool:
    """True when any step ran on an engine that only pretends."""
    return any(result.engine.simulated for result in report.results)


def job_manifest(
    record: NormalizedJobRecord,
    plan: RunPlan,
    report: ExecutionReport,
    event: ExecutionFinished,
    files: dict[str, StoredFile],
    *,
    video: StoredFile,
    render_sha256: str,
    kept_frames: Sequence[StoredFile] = (),
    credentials: ManifestCredentials | None = None,
    made_by: str,
) -> JobManifest:
    """The manifest of a finished job. `files` are the delivered files by their bare name."""
    return JobManifest(
        job_id=record.job_id,
        attempt=report.attempt,
        mode=record.mode,
        prompt=record.prompt,
        resolved_prompt=record.resolved_prompt,
        negative_prompt=record.negative_prompt,
        seed=record.seed,
        aspect_ratio=record.aspect_ratio,
        quality_profile=record.quality_profile,
        settings=record.settings,
        inputs=tuple(
            ManifestInput(
                role=a.role,
                index=a.index,
                asset_id=a.asset_id,
                sha256=a.sha256,
                used=a.used,
                key_poses=a.key_poses,
            )
            for a in record.assets
        ),
        prepared_media=tuple(
            ManifestMedium(
                role=m.role,
                index=m.index,
                asset_sha256=m.asset_sha256,
                recipe_id=m.recipe_id,
                sha256=m.file.sha256,
                size_bytes=m.file.size_bytes,
            )
            for m in record.prepared
        ),
        workflows=tuple(s.workflow for s in record.stages if isinstance(s, ComfyWorkflowStage)),
        stages=record.stages,
        prompt_pack=record.prompt_pack,
        origins=record.origins,
        soundtrack=record.soundtrack,
        soundtrack_sha256=plan.delivery.soundtrack.sha256 if plan.delivery.soundtrack else None,
        delivery=plan.delivery.frame,
        record_sha256=plan.record.sha256,
        run_plan_sha256=report.run_plan.sha256,
        steps=tuple(_manifest_step(plan, result) for result in report.results),
        comfy_prompt_ids=tuple(result.comfy_prompt_id for result in report.results),
        simulated=is_simulated(report),
        files=tuple(_manifest_file(name, file) for name, file in sorted(files.items())),
        kept_frames=tuple(_manifest_file(PurePosixPath(f.key).name, f) for f in kept_frames),
        credentials=credentials,
        render_sha256=render_sha256,
        delivered_sha256=video.sha256,
        made_by=made_by,
        submitted_at=record.submitted_at,
        executed_at=event.occurred_at,
    )


def _manifest_file(name: str, file: StoredFile) -> ManifestFile:
    return ManifestFile(name=name, key=file.key, sha256=file.sha256, size_bytes=file.size_bytes)


def _manifest_step(plan: RunPlan, result: StepResult) -> ManifestStep:
    step = plan.steps[result.step]
    return ManifestStep(
        step=result.step,
        stage=step.stage,
        segment=step.segment,
        attempt=result.attempt,
        comfy_prompt_id=result.comfy_prompt_id,
        engine_id=result.engine.engine_id,
        engine_kind=result.engine.kind,
        engine_version=result.engine.version,
        simulated=result.engine.simulated,
        graph_sha256=result.graph.sha256,
        outputs={f"{o.name}/{o.filename}": o.file.sha256 for o in result.outputs},
    )


def step_debug(plan: RunPlan, result: StepResult, graph: bytes, engine_log: bytes) -> StepDebug:
    """What operators see of a step; `graph` and `engine_log` are the stored bytes."""
    step = plan.steps[result.step]
    return StepDebug(
        step=result.step,
        stage=step.stage,
        segment=step.segment,
        attempt=result.attempt,
        lane=step.lane,
        comfy_prompt_id=result.comfy_prompt_id,
        engine_id=result.engine.engine_id,
        simulated=result.engine.simulated,
        capability_snapshot=result.engine.snapshot,
        waited_s=result.waited_s,
        ran_s=result.ran_s,
        graph_file=result.graph,
        graph=document(graph),
        engine_messages=document(engine_log),
    )


def document(data: bytes) -> Any:
    """The JSON value in the bytes; else one value per JSON line; else the text, line by line.

    Engine logs are foreign: whatever they are, they become a JSON value, at most
    ENGINE_LOG_LINES lines of it.
    """
    text = data.decode(errors="replace")
    try:
        return _finite(text)
    except ValueError:
        return [_line(line) for line in text.splitlines()[:ENGINE_LOG_LINES] if line.strip()]


def _line(line: str) -> Any:
    try:
        return _finite(line)
    except ValueError:
        return line


def _finite(text: str) -> Any:
    # NaN and Infinity are not JSON, and a document with them could not be read by others.
    return json.loads(text, parse_constant=str)


def document_bytes(document: JobManifest | DebugMetadata) -> bytes:
    """The file content: readable JSON with keys in order, the same for equal documents."""
    plain = document.model_dump(mode="json")
    return (json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()
