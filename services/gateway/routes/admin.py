"""For operators: health, queues, retry, and the way from a prompt id to its job."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from contracts import subjects
from contracts.engines import EngineSnapshot, Pause
from contracts.errors import ErrorCode
from contracts.subjects import ASSETS_STREAM, DEADLETTERS_STREAM, JOBS_STREAM, Consumer
from planning.lanes import all_lanes
from runtime.health import readiness
from runtime.ids import is_id
from runtime.tails import BusUnavailable
from runtime.telemetry import job_context
from services.gateway.deps import Deps, Needs, Who
from services.gateway.ending import retry_job
from services.gateway.lookups import view_job
from services.gateway.problems import refused, responses
from services.gateway.views import JobAccepted, JobView

router = APIRouter(prefix="/api/admin", tags=["admin"])
_C = ErrorCode


class StreamView(BaseModel):
    """The extent of a stream, and how far the read model has come with it."""

    stream: str
    messages: int
    size_bytes: int
    last_sequence: int
    projected_sequence: int | None
    lag: int | None


class ParkedView(BaseModel):
    """A message that is no event of ours."""

    stream: str
    sequence: int
    subject: str
    reason: str


class HealthView(BaseModel):
    """What the gateway sees of the system. A check is None when it is well."""

    ready: bool
    checks: dict[str, str | None]
    streams: list[StreamView]
    parked: list[ParkedView]
    engines: list[EngineSnapshot]
    media_free_bytes: int | None


class LagView(BaseModel):
    """How far a consumer is behind. `lane` is set for the queues of the engines."""

    consumer: str
    service: str
    lane: str | None
    pending: int
    in_hand: int
    redelivered: int
    paused: bool


class QueueReport(BaseModel):
    """Every consumer; `absent` names those that the bus does not know (yet); who paused what."""

    consumers: list[LagView]
    absent: list[str]
    paused: list[str]
    pauses: list[Pause]


class PromptView(BaseModel):
    """Where a prompt id belongs."""

    comfy_prompt_id: str
    step: int
    attempt: int
    engine_id: str
    job: JobView


@router.get("/health", responses=responses(_C.UNAVAILABLE))
async def health(deps: Needs) -> HealthView:
    """The gateway's checks, the streams, the engines and the room that is left."""
    checks = await readiness(deps.checks)
    return HealthView(
        ready=all(result is None for result in checks.values()),
        checks=checks,
        streams=[await _stream(deps, s) for s in (JOBS_STREAM, ASSETS_STREAM, DEADLETTERS_STREAM)],
        parked=[ParkedView(**row) for row in await deps.read.parked()],
        engines=list(await deps.engines.all()),
        media_free_bytes=await deps.media.free_bytes(),
    )


async def _stream(deps: Deps, stream: str) -> StreamView:
    state = await deps.bus.stream_state(stream)
    projected = None
    if stream != DEADLETTERS_STREAM:
        projected = (await deps.read.checkpoints()).get(stream, 0)
    return StreamView(
        stream=stream,
        messages=state.messages,
        size_bytes=state.size_bytes,
        last_sequence=state.last_sequence,
        projected_sequence=projected,
        lag=None if projected is None else max(0, state.last_sequence - projected),
    )


@router.get("/queue", responses=responses(_C.UNAVAILABLE))
async def queue(deps: Needs) -> QueueReport:
    """How much waits in front of every service and lane."""
    lanes = {lane: subjects.lane_consumer(lane) for lane in all_lanes(deps.workflows.released)}
    pauses = await deps.engines.pauses()
    paused = {pause.what for pause in pauses}
    report = QueueReport(consumers=[], absent=[], paused=sorted(paused), pauses=list(pauses))
    wanted: list[tuple[Consumer, str | None]] = [(c, None) for c in subjects.CONSUMERS]
    wanted += [(consumer, lane) for lane, consumer in lanes.items()]
    for consumer, lane in wanted:
        try:
            lag = await deps.bus.consumer_lag(consumer)
        except BusUnavailable:
            report.absent.append(consumer.durable)
            continue
        report.consumers.append(
            LagView(
                consumer=consumer.durable,
                service=consumer.service,
                lane=lane,
                pending=lag.pending,
                in_hand=lag.ack_pending,
                redelivered=lag.redelivered,
                paused=lane is not None and bool(paused & {"all", f"lane.{lane}"}),
            )
        )
    return report


@router.post(
    "/retry/{job_id}",
    status_code=202,
    responses=responses(_C.NOT_FOUND, _C.JOB_NOT_RETRYABLE, _C.UNAVAILABLE),
)
async def retry(deps: Needs, caller: Who, job_id: str) -> JobAccepted:
    """Run a failed job again, from the step that failed."""
    with job_context(job_id=job_id):
        return JobAccepted(job_id=job_id, status=await retry_job(deps, caller, job_id))


@router.get("/jobs/by-prompt/{comfy_prompt_id}", responses=responses(_C.NOT_FOUND))
async def by_prompt(deps: Needs, comfy_prompt_id: str) -> PromptView:
    """The job, step and attempt that a prompt id of an engine belongs to."""
    found = await deps.read.prompt(comfy_prompt_id) if is_id(comfy_prompt_id) else None
    job = await deps.read.job(found["job_id"]) if found else None
    if found is None or job is None:
        raise refused(_C.NOT_FOUND, sentence="No job has had this prompt id.")
    return PromptView(
        comfy_prompt_id=comfy_prompt_id,
        step=found["step"],
        attempt=found["attempt"],
        engine_id=found["engine_id"],
        job=await view_job(deps, job),
    )
