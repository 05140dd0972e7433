"""A job's graphs and inputs, so that any ComfyUI runs them. What belongs to it is decided in
services.gateway.exporting."""

from __future__ import annotations

from pathlib import PurePosixPath

from fastapi import APIRouter, Request
from fastapi.responses import Response

from contracts.errors import ErrorCode
from contracts.plan import RunPlan, StepResult
from runtime.media_store import MediaMissing
from services.gateway.access.caller import Caller
from services.gateway.deps import Deps, Needs, Who
from services.gateway.exporting import Export, export_of, exported_files
from services.gateway.lookups import find_job
from services.gateway.problems import refused, responses
from services.gateway.ranges import Served, serve

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
_C = ErrorCode
_PROBLEMS = responses(_C.NOT_FOUND, _C.JOB_NOT_FINISHED, _C.UNAVAILABLE)


@router.get("/{job_id}/export", responses=_PROBLEMS)
async def export(deps: Needs, caller: Who, job_id: str) -> Export:
    """The bound graphs of a job and the files they load; 409 until the job is composed."""
    return export_of(*await _run(deps, caller, job_id))


@router.get(
    "/{job_id}/export/{sha256}",
    response_class=Response,
    responses={**_PROBLEMS, **responses(_C.NOT_FOUND, _C.RANGE_UNSATISFIABLE)},
)
async def exported_file(
    deps: Needs, caller: Who, job_id: str, sha256: str, request: Request
) -> Response:
    """A graph or an input that the export names, with Range."""
    file = exported_files(*await _run(deps, caller, job_id)).get(sha256)
    if file is None:
        raise refused(_C.NOT_FOUND, sentence="The export has no such file.")
    name = f"{sha256}{PurePosixPath(file.key).suffix}"
    served = Served(file.key, sha256, name, "application/octet-stream", "attachment")
    return await serve(request, deps.media, served)


async def _run(deps: Deps, caller: Caller, job_id: str) -> tuple[RunPlan, dict[int, StepResult]]:
    await find_job(deps, caller, job_id)
    state = (await deps.bus.job(job_id)).state
    if state.composed is None:
        raise refused(
            _C.JOB_NOT_FINISHED,
            sentence="The job has no graph yet.",
            remedy="Wait until it is queued.",
        )
    try:
        data = await deps.media.read_bytes(state.composed.run_plan.key)
    except MediaMissing as gone:
        raise refused(_C.NOT_FOUND, sentence="The graph is no longer here.") from gone
    finished = {number: event.result for number, event in state.finished.items()}
    return RunPlan.model_validate_json(data), finished
