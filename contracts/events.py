"""The events: past-tense facts with a version, an id, a time and a cause.

A released event never changes; a breaking change is a new class with the next version
(docs/architecture.md, "Events"). No event exceeds 64 KB: large things lie in the media store and
travel as key and sha256. Must not say what to do about an event: that is contracts.lifecycle.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from contracts.base import Contract, StoredFile, Token, Uuid
from contracts.errors import ErrorInfo
from contracts.media import MediaFacts, MediaKind, PreparedMedia
from contracts.plan import Frame, JobPlan, StepResult

MAX_EVENT_BYTES = 64 * 1024


class Event(Contract):
    """What every event carries. `causation_id` is the id of the event that led to this one."""

    stream: ClassVar[Literal["JOBS", "ASSETS"]]
    event: str
    version: int
    event_id: Uuid
    occurred_at: AwareDatetime
    causation_id: Uuid | None = None


class AssetEvent(Event):
    """An event about one asset."""

    stream: ClassVar[Literal["JOBS", "ASSETS"]] = "ASSETS"
    asset_id: Uuid


class JobEvent(Event):
    """An event about one job."""

    stream: ClassVar[Literal["JOBS", "ASSETS"]] = "JOBS"
    job_id: Uuid


class AssetUploaded(AssetEvent):
    """Sent by the gateway when an upload lies whole in the media store and looks like media."""

    event: Literal["asset_uploaded"] = "asset_uploaded"
    version: Literal[1] = 1
    owner: str
    kind: MediaKind
    mime_type: str
    filename: str
    file: StoredFile


class AssetReady(AssetEvent):
    """Sent by ingest when an asset was fully decoded and is usable."""

    event: Literal["asset_ready"] = "asset_ready"
    version: Literal[1] = 1
    facts: MediaFacts
    thumbnail: StoredFile


class AssetRejected(AssetEvent):
    """Sent by ingest when an asset cannot be used, or by the gateway when its check was given up;
    with the reason."""

    event: Literal["asset_rejected"] = "asset_rejected"
    version: Literal[1] = 1
    error: ErrorInfo


class JobSubmitted(JobEvent):
    """Sent by the gateway when a planned job is accepted."""

    event: Literal["job_submitted"] = "job_submitted"
    version: Literal[1] = 1
    owner: str
    plan: JobPlan


class MediaPrepared(JobEvent):
    """Sent by ingest when every medium that the plan orders lies in the media store."""

    event: Literal["media_prepared"] = "media_prepared"
    version: Literal[1] = 1
    prepared: tuple[PreparedMedia, ...]


class JobComposed(JobEvent):
    """Sent by the composer when record and run plan lie in the media store."""

    event: Literal["job_composed"] = "job_composed"
    version: Literal[1] = 1
    record: StoredFile
    run_plan: StoredFile
    steps: int = Field(ge=0)


class StepReady(JobEvent):
    """Sent when a step may run; the executors of its lane compete for it.

    `owner` is the job's; those who compete let owners take turns by it.
    """

    event: Literal["step_ready"] = "step_ready"
    version: Literal[1] = 1
    owner: str = ""
    lane: Token
    step: int = Field(ge=0)
    steps: int = Field(gt=0)
    stage: int = Field(ge=0)
    segment: int = Field(ge=0)
    attempt: int = Field(ge=1)
    run_plan: StoredFile


class StepAssigned(JobEvent):
    """Sent by an executor before it posts a prompt, so that a successor can find it."""

    event: Literal["step_assigned"] = "step_assigned"
    version: Literal[1] = 1
    step: int = Field(ge=0)
    attempt: int = Field(ge=1)
    engine_id: Token
    executor_id: str
    lease_epoch: int = Field(ge=0)
    comfy_prompt_id: Uuid


class StepStarted(JobEvent):
    """Sent by an executor when the engine began to run the step."""

    event: Literal["step_started"] = "step_started"
    version: Literal[1] = 1
    step: int = Field(ge=0)
    attempt: int = Field(ge=1)
    engine_id: Token
    comfy_prompt_id: Uuid
    simulated: bool


class StepFinished(JobEvent):
    """Sent by an executor when a step's outputs lie in the media store."""

    event: Literal["step_finished"] = "step_finished"
    version: Literal[1] = 1
    result: StepResult


class ExecutionFinished(JobEvent):
    """Sent by an executor after the last step; the report lists every step's outputs.

    Sent by the composer for a job without steps.
    """

    event: Literal["execution_finished"] = "execution_finished"
    version: Literal[1] = 1
    attempt: int = Field(ge=1)
    report: StoredFile


class CancelRequested(JobEvent):
    """Sent by the gateway when a job that an engine may be running is to end."""

    event: Literal["cancel_requested"] = "cancel_requested"
    version: Literal[1] = 1
    requested_by: str


RestartAt = Literal["media", "composition", "execution", "collection"]
"""Where a failed job is taken up: with its media prepared anew, composed anew, every step run
again, or only the results collected again."""


class RetryRequested(JobEvent):
    """Sent by the gateway when a failed job is to run again: from the step that failed, or from
    where `start` says."""

    event: Literal["retry_requested"] = "retry_requested"
    version: Literal[1] = 1
    requested_by: str
    attempt: int = Field(ge=2)
    start: RestartAt | None = None


class JobOutputs(Contract):
    """The delivered files of a completed job; `frames` is the PictureIndex of kept frames."""

    video: StoredFile
    poster: StoredFile
    first_frame: StoredFile
    preview: StoredFile
    pose_preview: StoredFile | None = None
    frames: StoredFile | None = None
    manifest: StoredFile
    debug_metadata: StoredFile
    frame: Frame
    duration_s: float = Field(gt=0)
    has_audio: bool


class JobCompleted(JobEvent):
    """Sent by the collector when the delivered video was decoded, measured and hashed."""

    event: Literal["job_completed"] = "job_completed"
    version: Literal[1] = 1
    attempt: int = Field(ge=1)
    simulated: bool
    outputs: JobOutputs


class JobFailed(JobEvent):
    """Sent by any service when a job cannot go on."""

    event: Literal["job_failed"] = "job_failed"
    version: Literal[1] = 1
    service: Literal["gateway", "ingest", "composer", "executor", "collector"]
    error: ErrorInfo
    step: int | None = None
    attempt: int | None = None


class JobCancelled(JobEvent):
    """Sent when a cancelled job has ended: by the gateway before any step was assigned, else by
    the executor that confirmed it, or by the collector."""

    event: Literal["job_cancelled"] = "job_cancelled"
    version: Literal[1] = 1
    service: Literal["gateway", "executor", "collector", "ingest", "composer"]


class JobDeleted(JobEvent):
    """Sent by the gateway when an ended job and its files are removed."""

    event: Literal["job_deleted"] = "job_deleted"
    version: Literal[1] = 1
    requested_by: str


class Progress(Contract):
    """The latest progress of a job; kept in memory only, never part of the record."""

    version: Literal[1] = 1
    job_id: Uuid
    at: AwareDatetime
    step: int = Field(ge=0)
    steps: int = Field(gt=0)
    segment: int = Field(ge=0)
    segments: int = Field(gt=0)
    fraction: float = Field(ge=0, le=1)
    phase: Literal["waiting", "loading", "generating", "collecting", "unreachable"]
    comfy_prompt_id: Uuid | None = None


class PicturedProgress(Progress):
    """Version 2, said once a step has shown a picture of its unfinished work; `live_preview` counts
    them. Readers of version 1 refuse what they do not know, so that one is said as long as it does.
    """

    version: Literal[2] = 2  # type: ignore[assignment]
    live_preview: int = Field(gt=0)


AnyJobEvent = (
    JobSubmitted
    | MediaPrepared
    | JobComposed
    | StepReady
    | StepAssigned
    | StepStarted
    | StepFinished
    | ExecutionFinished
    | CancelRequested
    | RetryRequested
    | JobCompleted
    | JobFailed
    | JobCancelled
    | JobDeleted
)
AnyAssetEvent = AssetUploaded | AssetReady | AssetRejected
AnyEvent = AnyJobEvent | AnyAssetEvent

EVENTS: tuple[type[Event], ...] = (
    AssetUploaded,
    AssetReady,
    AssetRejected,
    JobSubmitted,
    MediaPrepared,
    JobComposed,
    StepReady,
    StepAssigned,
    StepStarted,
    StepFinished,
    ExecutionFinished,
    CancelRequested,
    RetryRequested,
    JobCompleted,
    JobFailed,
    JobCancelled,
    JobDeleted,
)

_progress_adapter: TypeAdapter[Any] = TypeAdapter(
    Annotated[Progress | PicturedProgress, Field(discriminator="version")]
)
_adapter: TypeAdapter[Any] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="event")])


def event_name(event: type[Event] | Event) -> str:
    """The wire name of an event class, such as `job_submitted`."""
    return _name_of(event if isinstance(event, type) else type(event))


@cache
def _name_of(event: type[Event]) -> str:
    return str(event.model_fields["event"].default)


def parse_event(payload: bytes | str) -> AnyEvent:
    """The event in a payload. Raises pydantic.ValidationError for anything else."""
    parsed: AnyEvent = _adapter.validate_json(payload)
    return parsed


def parse_progress(payload: bytes | str) -> Progress:
    """The progress in a payload, of any version. Raises pydantic.ValidationError."""
    parsed: Progress = _progress_adapter.validate_json(payload)
    return parsed


def is_of_another_version(payload: bytes | str) -> bool:
    """Whether a payload that is no event of ours is one of ours in a version unknown here.

    A newer or older release wrote it: another replica may be able to read it.
    """
    try:
        said = json.loads(payload)
    except ValueError:
        return False
    if not isinstance(said, dict) or not isinstance(said.get("version"), int):
        return False
    ours = next((e for e in EVENTS if event_name(e) == said.get("event")), None)
    return ours is not None and said["version"] != ours.model_fields["version"].default


def encode_event(event: Event | Progress) -> bytes:
    """The payload of an event. Raises ValueError above 64 KB: large things belong in the store."""
    payload = event.model_dump_json().encode()
    if len(payload) > MAX_EVENT_BYTES:
        raise ValueError(f"event of {len(payload)} bytes exceeds {MAX_EVENT_BYTES}")
    return payload
