"""Jobs: submit, preview, list, read, cancel, delete, delivered files."""

from __future__ import annotations

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from contracts.errors import ErrorCode
from contracts.events import JobEvent
from contracts.lifecycle import TERMINAL, PublicState
from contracts.plan import JobPlan, Mode
from planning.planner import Refusal
from planning.requests import AnimateRequest, AnyJobRequest, AudioPerformanceRequest, JobRequest
from runtime.telemetry import job_context
from services.gateway.access.caller import Caller
from services.gateway.delivered import (
    THE_VIDEO,
    delivered_files,
    media_type_of,
    name_of,
    outputs_of,
)
from services.gateway.deps import Deps, Needs, Who
from services.gateway.ending import cancel_job, delete_job, retry_job
from services.gateway.fallbacks import FallbackView, fallback_view
from services.gateway.lookups import (
    find_frame,
    find_job,
    find_outputs,
    listed_job,
    newest,
    view_job,
)
from services.gateway.problems import FieldProblem, field_problem, refused, responses
from services.gateway.projection import fold_job, new_job
from services.gateway.ranges import Served, serve
from services.gateway.routes.cursors import next_cursor, read_cursor
from services.gateway.submitting import plan_request, submit
from services.gateway.views import (
    EventPage,
    EventView,
    JobAccepted,
    JobPage,
    JobView,
    OutputsView,
    job_page,
    outputs_view,
)

log = structlog.get_logger()
router = APIRouter(prefix="/api/jobs", tags=["jobs"])

_C = ErrorCode
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)
]
SUBMIT_PROBLEMS = responses(
    _C.BODY_NOT_JSON,
    _C.BODY_INVALID,
    _C.PROMPT_MISSING,
    _C.GROUND_TRUTH_MISSING,
    _C.FRAME_MISSING,
    _C.CONTROL_MISSING,
    _C.ASSET_UNKNOWN,
    _C.ASSET_CHECKING,
    _C.ASSET_REJECTED,
    _C.ASSET_WRONG_KIND,
    _C.SETTINGS_CONFLICT,
    _C.MODE_UNAVAILABLE,
    _C.CHAIN_ILLEGAL,
    _C.CAPABILITY_MISSING,
    _C.PROMPT_PACK_UNKNOWN,
    _C.IDEMPOTENCY_KEY_REUSED,
    _C.FILE_TOO_LARGE,
    _C.RATE_LIMITED,
    _C.TOO_MANY_JOBS,
    _C.STORAGE_FULL,
    _C.UNAVAILABLE,
)
_FOUND_PROBLEMS = responses(_C.NOT_FOUND, _C.UNAVAILABLE)


class Preview(BaseModel):
    """What a submit would do: the plan, or every reason against it and perhaps another way."""

    ok: bool
    plan: JobPlan | None
    problems: list[FieldProblem]
    fallback: FallbackView | None = None


async def accept(
    deps: Deps, caller: Caller, response: Response, request: JobRequest, key: str | None
) -> JobAccepted:
    """Submit a request and say where the job is. Raises what `submitting.submit` raises."""
    await deps.limits.submit(caller)
    job_id, status = await submit(deps, caller, request, key)
    response.headers["Location"] = f"/api/jobs/{job_id}"
    return JobAccepted(job_id=job_id, status=status)


@router.post("/animate", status_code=202, responses=SUBMIT_PROBLEMS)
async def submit_animate(
    deps: Needs,
    caller: Who,
    response: Response,
    body: AnimateRequest,
    idempotency_key: IdempotencyKey = None,
) -> JobAccepted:
    """Make a video of the character with the motion of another video (move or mix)."""
    return await accept(deps, caller, response, body, idempotency_key)


@router.post("/audio-performance", status_code=202, responses=SUBMIT_PROBLEMS)
async def submit_audio_performance(
    deps: Needs,
    caller: Who,
    response: Response,
    body: AudioPerformanceRequest,
    idempotency_key: IdempotencyKey = None,
) -> JobAccepted:
    """Make a video of the character speaking or singing the audio."""
    return await accept(deps, caller, response, body, idempotency_key)


@router.post("/preview", responses=SUBMIT_PROBLEMS)
async def preview(
    deps: Needs,
    caller: Who,
    body: AnyJobRequest,
) -> Preview:
    """What a submit of this body (with its `mode`) would plan or refuse; nothing is kept."""
    planned = await plan_request(deps, caller, body, wait_s=0)
    if isinstance(planned, Refusal):
        return Preview(
            ok=False,
            plan=None,
            problems=[field_problem(e) for e in planned.errors],
            fallback=fallback_view(planned.fallback) if planned.fallback else None,
        )
    return Preview(ok=True, plan=planned, problems=[])


@router.get("", response_model=JobPage, responses=responses(_C.BODY_INVALID))
async def list_jobs(
    deps: Needs,
    caller: Who,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    status: PublicState | None = None,
    mode: Mode | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    asset_id: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The caller's jobs (an operator: everyone's), newest first, in pages.

    `q` finds those with each of its words somewhere in the prompt, `asset_id` those that name this
    upload.
    """
    rows = await deps.read.jobs(
        owner=caller.sees_only,
        limit=limit,
        before=read_cursor(cursor),
        status=status,
        mode=mode,
        words=(q or "").split(),
        asset_id=asset_id,
    )
    fresh = [newest(deps, row["job_id"], row) or row for row in rows]
    page = job_page(
        [await listed_job(deps, row) for row in fresh if not row.get("deleted")],
        next_cursor(rows, limit, "submitted_sequence"),
    )
    return Response(page, media_type="application/json")


@router.get("/{job_id}", responses=_FOUND_PROBLEMS)
async def get_job(deps: Needs, caller: Who, job_id: str) -> JobView:
    """A job with its progress; known from the moment of its 202."""
    return await view_job(deps, await find_job(deps, caller, job_id))


@router.get("/{job_id}/events", responses=_FOUND_PROBLEMS)
async def job_events(
    deps: Needs,
    caller: Who,
    job_id: str,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> EventPage:
    """What was recorded of a job, in order: its audit trail."""
    await find_job(deps, caller, job_id)
    tail = await deps.bus.job(job_id)
    job, events = new_job(job_id), list[EventView]()
    for sequence, event in zip(tail.sequences, tail.events, strict=True):
        job, ignored = fold_job(job, event, sequence)
        if sequence > after and len(events) < limit:
            events.append(_event_view(sequence, event, ignored))
    more = len(events) == limit and events[-1].sequence < tail.last_sequence
    return EventPage(events=events, next_after=events[-1].sequence if more else None)


def _event_view(sequence: int, event: JobEvent, ignored: str | None) -> EventView:
    return EventView(
        sequence=sequence,
        event=event.event,
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        ignored=ignored,
        data=event.model_dump(mode="json", exclude={"error": {"detail"}}),
    )


@router.get("/{job_id}/outputs", responses=responses(_C.NOT_FOUND, _C.JOB_NOT_FINISHED))
async def job_outputs(deps: Needs, caller: Who, job_id: str) -> OutputsView:
    """The delivered files of a completed job."""
    return outputs_view(await find_outputs(deps, caller, job_id))


@router.head("/{job_id}/files/{name}", include_in_schema=False)
@router.get(
    "/{job_id}/files/{name}",
    response_class=Response,
    responses=responses(_C.NOT_FOUND, _C.JOB_NOT_FINISHED, _C.RANGE_UNSATISFIABLE),
)
async def job_file(
    deps: Needs,
    caller: Who,
    job_id: str,
    name: str,
    request: Request,
    download: bool = False,
) -> Response:
    """A delivered file, with Range; `?download=true` asks the browser to save it.

    `video` is the job's video whatever it is called. A kept frame is served by its name in
    pictures.json.
    """
    outputs = outputs_of(await find_outputs(deps, caller, job_id))
    files = delivered_files(outputs)
    file = outputs.video if name == THE_VIDEO else files.get(name)
    if file is None and outputs.frames is not None:
        file = await find_frame(deps, outputs.frames, name)
    if file is None:
        raise refused(_C.NOT_FOUND, sentence="The job has no such file.")
    name = name_of(file)
    disposition: Literal["inline", "attachment"] = "attachment" if download else "inline"
    filename = f"animatrix-{job_id[-12:]}-{name}" if download else name
    served = Served(file.key, file.sha256, filename, media_type_of(name), disposition)
    return await serve(request, deps.media, served)


@router.get(
    "/{job_id}/live-preview",
    response_class=Response,
    responses={**_FOUND_PROBLEMS, 200: {"content": {"image/jpeg": {}}}},
)
async def live_preview(deps: Needs, caller: Who, job_id: str) -> Response:
    """The latest picture of a running job's unfinished work, where its engine sends any."""
    job = await find_job(deps, caller, job_id)
    picture = None if job["status"] in TERMINAL else await deps.live_previews.latest(job_id)
    if picture is None:
        raise refused(_C.NOT_FOUND, sentence="There is no picture of this job's work.")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    responses={200: {"model": JobAccepted, "description": "It had ended."}, **_FOUND_PROBLEMS},
)
async def cancel(deps: Needs, caller: Who, job_id: str, response: Response) -> JobAccepted:
    """End a job. One that an engine is making ends as soon as its executor confirms."""
    await find_job(deps, caller, job_id)
    with job_context(job_id=job_id):
        status, had_ended = await cancel_job(deps, caller, job_id)
    response.status_code = 200 if had_ended else 202
    return JobAccepted(job_id=job_id, status=status)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    responses=responses(
        _C.NOT_FOUND, _C.JOB_NOT_RETRYABLE, _C.RATE_LIMITED, _C.TOO_MANY_JOBS, _C.UNAVAILABLE
    ),
)
async def retry(deps: Needs, caller: Who, job_id: str) -> JobAccepted:
    """Run a failed job of one's own again, from the step that failed.

    It counts like a submit: towards the rate, and towards the jobs that may go on at once.
    """
    await deps.limits.submit(caller)
    owner = (await find_job(deps, caller, job_id))["owner"]
    with job_context(job_id=job_id):
        async with deps.limiter.room(owner, job_id):
            status = await retry_job(deps, caller, job_id)
        return JobAccepted(job_id=job_id, status=status)


@router.delete("/{job_id}", status_code=204, responses=responses(_C.NOT_FOUND, _C.JOB_NOT_FINISHED))
async def delete(deps: Needs, caller: Who, job_id: str) -> None:
    """Remove an ended job and its files. Uploads and the audit trail stay."""
    with job_context(job_id=job_id):
        await delete_job(deps, caller, job_id)
