"""The routes under /deforum_api.

Owns their bodies and status codes; jobs are run in deforum.py. They stay open even where
/sdapi asks for a password.
"""

from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.webui.answers import Crashed, not_found
from simulators.webui.deforum import Deforum
from simulators.webui.sdapi import Unanswered, state_of


class Batch(BaseModel):
    """The body of POST /deforum_api/batches."""

    deforum_settings: dict[str, Any] | list[dict[str, Any]] | None = None
    options_overrides: dict[str, Any] | None = None


def _jobs(request: Request) -> Deforum:
    jobs: Deforum = request.app.state.deforum
    return jobs


async def post_batch(request: Request) -> Response:
    """POST /deforum_api/batches: 202, or 400 without settings."""
    if not state_of(request).installed.deforum:
        return not_found()
    batch = Batch.model_validate_json(await request.body())
    if not batch.deforum_settings:
        return JSONResponse({"message": "No settings files provided."}, 400)
    told = batch.deforum_settings
    settings = told if isinstance(told, list) else [told]
    batch_id = _jobs(request).submit(settings, batch.options_overrides)
    if state_of(request).faults.strike("drop_submit"):
        raise Unanswered
    job_ids = _jobs(request).batches()[batch_id]
    body = {"message": "Job(s) accepted", "batch_id": batch_id, "job_ids": job_ids}
    return JSONResponse(body, 202)


async def get_batch(request: Request) -> Response:
    """GET /deforum_api/batches/{id}: an unknown id is a crash."""
    if not state_of(request).installed.deforum:
        return not_found()
    batch_id = request.path_params["id"]
    jobs = _jobs(request)
    if batch_id not in jobs.batches():
        raise Crashed("KeyError", f"'{batch_id}'")
    statuses = jobs.statuses()
    return JSONResponse([statuses[job_id].data() for job_id in jobs.batches()[batch_id]])


async def get_jobs(request: Request) -> Response:
    """GET /deforum_api/jobs: all by id."""
    if not state_of(request).installed.deforum:
        return not_found()
    return JSONResponse({k: v.data() for k, v in _jobs(request).statuses().items()})


async def get_job(request: Request) -> Response:
    """GET /deforum_api/jobs/{id}."""
    if not state_of(request).installed.deforum:
        return not_found()
    job_id = request.path_params["id"]
    status = _jobs(request).statuses().get(job_id)
    if status is None:
        return JSONResponse({"id": job_id, "status": "NOT FOUND"}, 404)
    return JSONResponse(status.data())


async def delete_job(request: Request) -> Response:
    """DELETE /deforum_api/jobs/{id}."""
    if not state_of(request).installed.deforum:
        return not_found()
    job_id = request.path_params["id"]
    cancelled = _jobs(request).cancel(job_id)
    if cancelled is None:
        return JSONResponse({"id": job_id, "message": f"Job with ID {job_id} not found."}, 404)
    if not cancelled:
        return JSONResponse({"id": job_id, "message": "not in a cancellable state"}, 400)
    return JSONResponse({"id": job_id, "message": "Job cancelled."})


def deforum_routes() -> list[Route]:
    """All routes under /deforum_api; where the extension is off they answer 404."""
    return [
        Route("/deforum_api/batches", post_batch, methods=["POST"]),
        Route("/deforum_api/batches/{id}", get_batch, methods=["GET"]),
        Route("/deforum_api/jobs", get_jobs, methods=["GET"]),
        Route("/deforum_api/jobs/{id}", get_job, methods=["GET"]),
        Route("/deforum_api/jobs/{id}", delete_job, methods=["DELETE"]),
    ]
