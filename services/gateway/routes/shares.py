"""Links that show one job's video and pictures to whoever has them, until they end or are revoked.

Prompt, settings, uploads and metadata are not shown. Must not serve anything but delivered media.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.base import StoredFile
from contracts.errors import ErrorCode
from contracts.events import JobOutputs
from runtime.stamp import now
from services.gateway.access.caller import GATEWAY
from services.gateway.access.sharing import link, share_of
from services.gateway.adapters.db.shares import Share
from services.gateway.delivered import delivered_files, media_type_of, name_of, outputs_of
from services.gateway.deps import Deps, Needs, Who
from services.gateway.lookups import find_job, find_outputs
from services.gateway.problems import refused, responses
from services.gateway.projection import Row
from services.gateway.ranges import Served, serve

router = APIRouter(tags=["shares"])
_C = ErrorCode
DEFAULT_HOURS, MOST_HOURS = 24 * 7, 24 * 90


class NewShare(BaseModel):
    """For how long the link is good."""

    model_config = ConfigDict(extra="forbid")

    expires_in_hours: Annotated[int, Field(ge=1, le=MOST_HOURS)] = DEFAULT_HOURS


class ShareView(BaseModel):
    """A share of a job. `url` is a path on this server; it opens without signing in."""

    share_id: str
    job_id: str
    url: str
    created_at: datetime
    expires_at: datetime
    revoked: bool


class ShareList(BaseModel):
    """The shares of a job, newest first."""

    shares: list[ShareView]


class SharedFile(BaseModel):
    """A file that a link shows."""

    name: str
    media_type: str
    size_bytes: int
    url: str


class SharedView(BaseModel):
    """What a link shows: nothing of how the video was made."""

    files: list[SharedFile]
    duration_seconds: float
    width: int
    height: int
    simulated: bool
    expires_at: datetime


def _url(token: str) -> str:
    return f"/api/shared/{token}"


def _view(share: Share, secret: bytes) -> ShareView:
    return ShareView(
        share_id=share.share_id,
        job_id=share.job_id,
        url=_url(link(secret, share.share_id, share.expires_at)),
        created_at=share.created_at,
        expires_at=share.expires_at,
        revoked=share.revoked_at is not None,
    )


@router.post(
    "/api/jobs/{job_id}/share",
    status_code=201,
    responses=responses(
        _C.BODY_NOT_JSON, _C.BODY_INVALID, _C.FILE_TOO_LARGE, _C.NOT_FOUND, _C.JOB_NOT_FINISHED
    ),
)
async def share(deps: Needs, caller: Who, job_id: str, body: NewShare) -> ShareView:
    """Make a link to the job's video and pictures."""
    await find_outputs(deps, caller, job_id)
    at = now().replace(microsecond=0)
    made = Share(
        share_id=secrets.token_hex(12),
        job_id=job_id,
        owner=caller.owner,
        created_at=at,
        expires_at=at + timedelta(hours=body.expires_in_hours),
    )
    await deps.shares.keep(made)
    return _view(made, await deps.shares.secret())


@router.get("/api/jobs/{job_id}/share", responses=responses(_C.NOT_FOUND))
async def list_shares(deps: Needs, caller: Who, job_id: str) -> ShareList:
    """The links to a job, also those that show nothing any more."""
    await find_job(deps, caller, job_id)
    secret = await deps.shares.secret()
    return ShareList(shares=[_view(one, secret) for one in await deps.shares.of_job(job_id)])


@router.delete(
    "/api/jobs/{job_id}/share/{share_id}", status_code=204, responses=responses(_C.NOT_FOUND)
)
async def revoke_share(deps: Needs, caller: Who, job_id: str, share_id: str) -> None:
    """Make a link show nothing from now on."""
    await find_job(deps, caller, job_id)
    if not await deps.shares.revoke(job_id, share_id, now()):
        raise refused(_C.NOT_FOUND, sentence="The job has no such link.")


async def _shown(deps: Deps, token: str) -> tuple[Share, Row]:
    """What a link shows: the row of its job's outputs.

    Raises Refused NOT_FOUND for every link that shows nothing.
    """
    at = now()
    share_id = share_of(await deps.shares.secret(), token, at)
    found = await deps.shares.find(share_id) if share_id else None
    if found is None or found.revoked_at is not None or at >= found.expires_at:
        raise refused(
            _C.NOT_FOUND,
            sentence="This link shows nothing (any more).",
            remedy="Ask whoever sent it for a new one.",
        )
    # Whoever made the link might see the job; a deleted job is gone for links too.
    return found, await find_outputs(deps, GATEWAY, found.job_id)


def _media(outputs: JobOutputs) -> dict[str, StoredFile]:
    files = delivered_files(outputs)
    return {n: f for n, f in files.items() if media_type_of(n).startswith(("video/", "image/"))}


@router.get("/api/shared/{token}", responses=responses(_C.NOT_FOUND, _C.UNAVAILABLE))
async def shared(deps: Needs, token: str) -> SharedView:
    """What a link shows, without signing in."""
    found, row = await _shown(deps, token)
    outputs = outputs_of(row)
    return SharedView(
        files=[
            SharedFile(
                name=name,
                media_type=media_type_of(name),
                size_bytes=file.size_bytes,
                url=f"{_url(token)}/{name}",
            )
            for name, file in _media(outputs).items()
        ],
        duration_seconds=outputs.duration_s,
        width=outputs.frame.width_px,
        height=outputs.frame.height_px,
        simulated=row["simulated"],
        expires_at=found.expires_at,
    )


@router.head("/api/shared/{token}/{name}", include_in_schema=False)
@router.get(
    "/api/shared/{token}/{name}",
    response_class=Response,
    responses=responses(_C.NOT_FOUND, _C.RANGE_UNSATISFIABLE, _C.UNAVAILABLE),
)
async def shared_file(
    deps: Needs, token: str, name: str, request: Request, download: bool = False
) -> Response:
    """A file that a link shows, with Range, without signing in."""
    found, row = await _shown(deps, token)
    file = _media(outputs_of(row)).get(name)
    if file is None:
        raise refused(_C.NOT_FOUND, sentence="The link has no such file.")
    disposition: Literal["inline", "attachment"] = "attachment" if download else "inline"
    filename = f"animatrix-{found.job_id[-12:]}-{name_of(file)}"
    served = Served(file.key, file.sha256, filename, media_type_of(name), disposition)
    return await serve(request, deps.media, served)
