"""Finds jobs and assets: in the read model, in the live picture, or on the bus.

The newest wins, so a GET right after a 202 or 201 is never a 404 and a state never goes back.
Must not change anything.
"""

from __future__ import annotations

from typing import Any

from contracts.base import StoredFile
from contracts.errors import ErrorCode
from contracts.lifecycle import TERMINAL
from contracts.plan import PictureIndex
from runtime.ids import is_id
from runtime.media_store import MediaMissing
from services.gateway.access.caller import Caller
from services.gateway.delivered import name_of
from services.gateway.deps import Deps
from services.gateway.forecasts import Forecast
from services.gateway.problems import Refused, refused
from services.gateway.projection import Row, fold_assets, fold_jobs, job_row, outputs_row
from services.gateway.views import JobView, job_fields, job_view


def no_such_job() -> Refused:
    """The refusal for a job that is not known or was deleted."""
    return refused(ErrorCode.NOT_FOUND, sentence="There is no such job.")


def no_such_asset() -> Refused:
    """The refusal for an asset that is not known."""
    return refused(ErrorCode.NOT_FOUND, sentence="There is no such file.")


async def find_job(deps: Deps, caller: Caller, job_id: str) -> Row:
    """The row of a job that the caller may see.

    Raises Refused NOT_FOUND for one unknown, deleted or another owner's, BusUnavailable.
    """
    if not is_id(job_id):
        raise no_such_job()
    row = await deps.read.job(job_id)
    row = newest(deps, job_id, row)
    if row is None:
        tail = await deps.bus.job(job_id)
        folded = fold_jobs(job_id, zip(tail.sequences, tail.events, strict=True))
        if folded.state.state is None:
            raise no_such_job()
        row = job_row(folded)
        await deps.fanout.caught_up(tail.last_sequence)
    if row["deleted"] or not caller.sees(row["owner"]):
        raise no_such_job()
    return row


def newest(deps: Deps, job_id: str, row: Row | None) -> Row | None:
    """The row of the read model, or that of the live picture when it has seen more."""
    live = deps.fanout.job(job_id)
    if live is None or live.state.state is None:
        return row
    return job_row(live) if row is None or live.sequence > row["sequence"] else row


async def view_job(deps: Deps, row: Row) -> JobView:
    """The answer about a job, with live progress and its place in the queue."""
    return job_view(row, deps.fanout.progress_of(row["job_id"]), await _place(deps, row))


async def listed_job(deps: Deps, row: Row) -> dict[str, Any]:
    """The same as fields, for a page of many."""
    return job_fields(row, deps.fanout.progress_of(row["job_id"]), await _place(deps, row))


async def _place(deps: Deps, row: Row) -> Forecast | None:
    if row["status"] in ("queued", "executing") and row["lane"]:
        return (await deps.outlook.picture()).of(row["job_id"])
    return None


async def find_outputs(deps: Deps, caller: Caller, job_id: str) -> Row:
    """The outputs row of a completed job.

    Raises Refused NOT_FOUND (no such job, or it ended without outputs), JOB_NOT_FINISHED.
    """
    job = await find_job(deps, caller, job_id)
    row = await deps.read.outputs(job_id)
    if row is None and job["status"] not in TERMINAL:
        raise refused(
            ErrorCode.JOB_NOT_FINISHED,
            sentence="The video is not ready yet.",
            remedy="Wait for the end of the job.",
        )
    if row is None:
        tail = await deps.bus.job(job_id)
        completed = tail.state.completed
        if completed is None:
            raise refused(ErrorCode.NOT_FOUND, sentence=f"The job was {job['status']}.")
        row = outputs_row(completed, tail.last_sequence)
    return row


async def find_frame(deps: Deps, index: StoredFile, name: str) -> StoredFile | None:
    """The kept frame of that name, or None when there is none."""
    try:
        told = PictureIndex.model_validate_json(await deps.media.read_bytes(index.key))
    except MediaMissing:
        return None
    return next((file for file in told.pictures if name_of(file) == name), None)


async def find_asset(deps: Deps, caller: Caller, asset_id: str) -> Row:
    """The row of an asset that the caller may see. Raises Refused NOT_FOUND, BusUnavailable."""
    row = await known_asset_row(deps, asset_id)
    if row is None or not caller.sees(row["owner"]):
        raise no_such_asset()
    return row


async def known_asset_row(deps: Deps, asset_id: str) -> Row | None:
    """The newest row of an asset, or None when it was never uploaded. Raises BusUnavailable."""
    if not is_id(asset_id):
        return None
    row = await deps.read.asset(asset_id)
    if row is None or row["status"] == "checking":
        tail = await deps.bus.asset(asset_id)
        row = fold_assets(tail.events, tail.last_sequence)
    return row
