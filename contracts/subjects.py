"""Subjects, streams, buckets and durable consumers: the whole bus as data.

The provisioner in runtime makes exactly what stands here; everyone else only uses it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from contracts.events import AssetEvent, Event, JobEvent, StepReady, event_name

Service = Literal["gateway", "ingest", "composer", "executor", "collector"]

ROOT = "animatrix.v1"
JOBS_STREAM = "JOBS"
ASSETS_STREAM = "ASSETS"
PROGRESS_STREAM = "PROGRESS"
LIVE_PREVIEWS_STREAM = "LIVE_PREVIEWS"
DEADLETTERS_STREAM = "DEADLETTERS"
ENGINES_BUCKET = "engines"
LEASES_BUCKET = "leases"

DEADLETTER_CONSUMER = "gateway-deadletters"
"""Not an event consumer: it reads the server's advisories."""

ALL_JOBS = f"{ROOT}.jobs.>"
ALL_ASSETS = f"{ROOT}.assets.>"
ALL_PROGRESS = f"{ROOT}.progress.*"
ALL_LIVE_PREVIEWS = f"{ROOT}.live_previews.*"
ADVISORIES = (
    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
    "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
)


class Consumer(NamedTuple):
    """A durable consumer: who reads which events, how long one may take, how often it is tried.

    `ack_wait_s` is short because a running handler extends it; it is the time after which the
    work of a killed process is given to another.
    """

    durable: str
    stream: str
    subjects: tuple[str, ...]
    service: Service
    ack_wait_s: float = 10.0
    max_deliver: int = 12
    max_ack_pending: int = 1000


def subject_of(event: Event) -> str:
    """Where an event is published."""
    if isinstance(event, StepReady):
        return f"{ROOT}.jobs.{event.job_id}.step_ready.{event.lane}"
    if isinstance(event, JobEvent):
        return f"{ROOT}.jobs.{event.job_id}.{event_name(event)}"
    if isinstance(event, AssetEvent):
        return f"{ROOT}.assets.{event.asset_id}.{event_name(event)}"
    raise TypeError(f"no subject for {type(event).__name__}")


def job_subtree(job_id: str) -> str:
    """Every event of one job."""
    return f"{ROOT}.jobs.{job_id}.>"


def job_of(subject: str) -> str | None:
    """The id of the job whose subtree a subject lies in, None for any other subject."""
    parts = subject.split(".")
    return parts[3] if len(parts) > 4 and ".".join(parts[:3]) == f"{ROOT}.jobs" else None


def asset_subtree(asset_id: str) -> str:
    """Every event of one asset."""
    return f"{ROOT}.assets.{asset_id}.>"


def progress_subject(job_id: str) -> str:
    """The progress of one job."""
    return f"{ROOT}.progress.{job_id}"


def live_preview_subject(job_id: str) -> str:
    """The latest picture of a job's unfinished work: bare JPEG bytes, no event."""
    return f"{ROOT}.live_previews.{job_id}"


def all_of(event: type[Event]) -> str:
    """Every event of one kind, of every job or asset."""
    branch = "jobs" if issubclass(event, JobEvent) else "assets"
    tail = f"{event_name(event)}.*" if event is StepReady else event_name(event)
    return f"{ROOT}.{branch}.*.{tail}"


_KEYED = frozenset({"jobs", "assets", "progress", "live_previews"})


def family_of(subject: str) -> str:
    """A subject with ids replaced, for metric labels and span names: few values, for ever."""
    parts = subject.split(".")
    if len(parts) > 3 and parts[0] == "animatrix" and parts[2] in _KEYED:
        parts[3] = "*"
    return ".".join(parts)


def lane_name(engine_kind: str, family: str, precision: str) -> str:
    """A lane: engine kind, workflow family and precision."""
    return f"{engine_kind}-{family}-{precision}"


WEBUI_LANES: dict[str, str] = {
    "txt2img": "webui-stills",
    "img2img": "webui-stills",
    "upscale": "webui-stills",
    "webui_animatediff": "webui-animatediff",
    "webui_deforum": "webui-deforum",
}
"""The lane of every WebUI stage, by its kind or by the backend of its frames."""


def lane_subject(lane: str) -> str:
    """Every step that is ready on a lane."""
    return f"{ROOT}.jobs.*.step_ready.{lane}"


def lane_consumer(lane: str) -> Consumer:
    """The durable of a lane. A step is delivered again as often as it takes: attempts are counted
    in events, and an engine that is away for a night must not make a dead letter of a job."""
    return Consumer(
        durable=f"lane-{lane}",
        stream=JOBS_STREAM,
        subjects=(lane_subject(lane),),
        service="executor",
        max_deliver=-1,
    )


def _jobs(*names: str) -> tuple[str, ...]:
    return tuple(f"{ROOT}.jobs.*.{name}" for name in names)


CONSUMERS: tuple[Consumer, ...] = (
    Consumer("ingest-assets", ASSETS_STREAM, (f"{ROOT}.assets.*.asset_uploaded",), "ingest"),
    Consumer("ingest-jobs", JOBS_STREAM, _jobs("job_submitted", "retry_requested"), "ingest"),
    Consumer("composer-jobs", JOBS_STREAM, _jobs("media_prepared", "retry_requested"), "composer"),
    Consumer(
        "collector-jobs", JOBS_STREAM, _jobs("execution_finished", "retry_requested"), "collector"
    ),
)

PUBLISHES: dict[Service, frozenset[str]] = {
    "gateway": frozenset(
        {
            "asset_uploaded",
            "asset_rejected",
            "job_submitted",
            "cancel_requested",
            "retry_requested",
            "job_cancelled",
            "job_failed",
            "job_deleted",
        }
    ),
    "ingest": frozenset(
        {"asset_ready", "asset_rejected", "media_prepared", "job_failed", "job_cancelled"}
    ),
    "composer": frozenset(
        {"job_composed", "step_ready", "execution_finished", "job_failed", "job_cancelled"}
    ),
    "executor": frozenset(
        {
            "step_assigned",
            "step_started",
            "step_finished",
            "step_ready",
            "execution_finished",
            "job_failed",
            "job_cancelled",
        }
    ),
    "collector": frozenset({"job_completed", "job_failed", "job_cancelled"}),
}
"""What each service may publish; the bus refuses anything else."""

READS: dict[Service, frozenset[str]] = {
    "gateway": frozenset({"*"}),
    "ingest": frozenset({"asset_uploaded", "job_submitted", "retry_requested"}),
    "composer": frozenset({"media_prepared", "retry_requested"}),
    "executor": frozenset({"step_ready", "cancel_requested"}),
    "collector": frozenset({"execution_finished", "retry_requested"}),
}
"""What each service consumes; the gateway projects and streams everything."""


_RECURRING = frozenset(
    {"job_composed", "job_failed", "job_cancelled", "cancel_requested", "step_assigned"}
)
"""Guarded by the per-job lock; they may rightly recur: after a retry, or when a step moves to
another engine."""


def message_id(event: Event) -> str:
    """The Nats-Msg-Id of an event: job, attempt, step and name, so a repeat is not stored twice.

    A job is submitted once, hence the bare job id (design, "The database").
    """
    name = event_name(event)
    if isinstance(event, AssetEvent):
        return f"{event.asset_id}:{name}"
    if not isinstance(event, JobEvent):
        raise TypeError(f"no message id for {type(event).__name__}")
    if name == "job_submitted":
        return event.job_id
    result = getattr(event, "result", None)
    attempt = getattr(event, "attempt", None) or getattr(result, "attempt", None) or 0
    step = getattr(event, "step", None)
    if step is None:
        step = getattr(result, "step", None)
    place = "-" if step is None else str(step)
    if name == "media_prepared":
        # It may rightly recur after a retry, which is then its cause.
        return f"{event.job_id}:{event.causation_id}:{name}"
    if name in _RECURRING:
        return f"{event.job_id}:{attempt}:{place}:{name}:{event.event_id}"
    return f"{event.job_id}:{attempt}:{place}:{name}"
