"""Uploads that survive a lost connection: the tus protocol 1.0, creation and termination.

tuspyserver speaks the protocol; this module says what is taken and turns a whole upload into an
asset of the same id. Not part of the OpenAPI description: the protocol is described at tus.io.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from fastapi import APIRouter, Depends, Request, Response
from tuspyserver import create_tus_router

from contracts.errors import ErrorCode
from contracts.media import MediaKind
from services.gateway.admitting import admit
from services.gateway.deps import Deps, Needs, Who, listed
from services.gateway.problems import Refused, refused
from services.gateway.receiving import Received, clean_filename, too_large
from services.gateway.submitting import refuse_when_full
from services.gateway.upload_sessions import KEPT_S, Session

PATH = "/api/assets/resumable"
_KINDS: tuple[MediaKind, ...] = get_args(MediaKind)
_NOT_OFFERED = ("x-http-method-override", "upload-concat", "upload-defer-length")
_HASH_BYTES = 1024 * 1024

# The library awaits what its hooks return, but declares that they return nothing.
Hook = Callable[[dict[Any, Any], dict[Any, Any]], Any]
Finish = Callable[[str, dict[Any, Any]], Any]
Opening = Callable[[dict[Any, Any]], Any]


def _refused_metadata(sentence: str) -> Refused:
    return refused(
        ErrorCode.BODY_INVALID,
        sentence=sentence,
        remedy="Send Upload-Length, and Upload-Metadata with filename and kind.",
    )


def _accepting(deps: Needs, caller: Who) -> Hook:
    """What a new upload must say of itself, before a byte of it is taken."""

    async def accept(metadata: dict[Any, Any], info: dict[Any, Any]) -> None:
        kind = next((k for k in _KINDS if k == metadata.get("kind")), None)
        size_bytes = info.get("size")
        if kind is None or not metadata.get("filename"):
            raise _refused_metadata("The upload does not say its name or its kind.")
        if size_bytes is None or size_bytes < 0:
            raise _refused_metadata("The upload does not say how long it is.")
        if size_bytes == 0:
            raise refused(ErrorCode.FILE_EMPTY, field="file")
        limit_bytes = deps.settings.upload_limit_bytes(kind)
        if size_bytes > limit_bytes:
            raise too_large(kind, limit_bytes)
        await refuse_when_full(deps, size_bytes + await deps.sessions.reserved_bytes())
        await deps.limits.uploaded(caller, size_bytes)

    return accept


def _finishing(deps: Needs) -> Finish:
    """What happens when the last byte is there."""

    async def finish(upload_id: str, _metadata: dict[Any, Any]) -> None:
        session = await deps.sessions.find(upload_id)
        if session is not None:
            await settle(deps, session)

    return finish


async def settle(deps: Deps, session: Session) -> None:
    """Make a whole upload an asset with the upload's id; once, however often it is asked.

    Raises Refused for a file that is not what it was said to be; its upload is gone then.
    """
    if session.settled or not session.whole:
        return
    try:
        sniffed = session.sniffed()
    except Refused:
        await deps.sessions.delete(session.upload_id)
        raise
    sha256 = await asyncio.to_thread(_hash, session.path)
    received = Received(session.path, session.filename, sniffed, sha256, session.size_bytes)
    await admit(deps, session.upload_id, session.owner, received)
    await deps.sessions.settle(session)


async def _guard(request: Request, deps: Needs, caller: Who) -> None:
    """Refuse what this server does not offer, and uploads that are not the caller's.

    A HEAD for an upload that is whole makes it an asset if that has not happened: whoever lost
    the answer to the last byte asks in this way.
    """
    headers = request.headers
    creating_with_bytes = request.method == "POST" and (
        headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    )
    if creating_with_bytes or any(name in headers for name in _NOT_OFFERED):
        raise refused(
            ErrorCode.BODY_INVALID,
            sentence="This part of the upload protocol is not offered.",
            remedy="Use tus 1.0 with creation and termination: POST without bytes, then PATCH.",
        )
    upload_id = request.path_params.get("uuid")
    if upload_id is None:
        return
    session = await deps.sessions.find(upload_id)
    if session is None or session.owner != caller.owner:
        raise refused(ErrorCode.NOT_FOUND)
    if request.method == "HEAD":
        await settle(deps, session)
    elif session.settled:
        raise refused(ErrorCode.NOT_FOUND, sentence="This upload is finished.")


def _opening(deps: Needs, caller: Who) -> Opening:
    """Gives a new upload its id; called without metadata for one that is known."""

    async def open_session(metadata: dict[Any, Any]) -> dict[str, str]:
        if not metadata:
            return {}
        filename = clean_filename(metadata["filename"])
        return {"uid": await deps.sessions.open(caller.owner, metadata["kind"], filename)}

    return open_session


def upload_routes(deps: Deps) -> APIRouter:
    """The protocol's routes on this gateway's sessions."""
    router = APIRouter(include_in_schema=False, dependencies=[Depends(listed), Depends(_guard)])

    @router.options(PATH, status_code=204)
    async def offer(response: Response) -> None:
        response.headers["Tus-Version"] = response.headers["Tus-Resumable"] = "1.0.0"
        response.headers["Tus-Extension"] = "creation,termination,expiration"
        response.headers["Tus-Max-Size"] = str(_largest_bytes(deps))

    router.include_router(
        create_tus_router(
            prefix=PATH.removeprefix("/"),
            max_size=_largest_bytes(deps),
            days_to_keep=int(KEPT_S // 86400),
            pre_create_dep=_accepting,
            upload_complete_dep=_finishing,
            file_dep=_opening,
            storage=deps.sessions,
        )
    )
    return router


def _largest_bytes(deps: Deps) -> int:
    return max(deps.settings.upload_limit_bytes(kind) for kind in _KINDS)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_HASH_BYTES):
            digest.update(piece)
    return digest.hexdigest()
