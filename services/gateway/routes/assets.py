"""Assets: upload, facts, content, thumbnail."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from contracts.errors import ErrorCode
from contracts.media import MediaKind
from runtime.ids import new_id
from services.gateway.access.caller import Caller
from services.gateway.admitting import admit
from services.gateway.deps import Deps, Needs, Who
from services.gateway.lookups import find_asset
from services.gateway.problems import refused, responses
from services.gateway.ranges import Served, serve
from services.gateway.receiving import FORM_OVERHEAD_BYTES, receive
from services.gateway.routes.cursors import next_cursor, read_cursor
from services.gateway.submitting import refuse_when_full
from services.gateway.views import AssetPage, AssetView, asset_view

router = APIRouter(prefix="/api/assets", tags=["assets"])

_C = ErrorCode
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "additionalProperties": False,
                }
            }
        },
    }
}
_UPLOAD_PROBLEMS = responses(
    _C.UPLOAD_INCOMPLETE,
    _C.FILE_TOO_LARGE,
    _C.FILE_TYPE_UNSUPPORTED,
    _C.FILE_CONTENT_MISMATCH,
    _C.FILE_FORBIDDEN,
    _C.FILE_MISSING,
    _C.FILE_EMPTY,
    _C.ASSET_WRONG_KIND,
    _C.BODY_INVALID,
    _C.QUOTA_EXCEEDED,
    _C.STORAGE_FULL,
    _C.UNAVAILABLE,
)
_FOUND_PROBLEMS = responses(_C.NOT_FOUND, _C.UNAVAILABLE)
_FILE_PROBLEMS = responses(_C.NOT_FOUND, _C.RANGE_UNSATISFIABLE, _C.UNAVAILABLE)


async def _upload(
    deps: Deps, caller: Caller, request: Request, response: Response, kind: MediaKind
) -> AssetView:
    limit_bytes = deps.settings.upload_limit_bytes(kind)
    declared = request.headers.get("content-length", "0")
    size_bytes = int(declared) if declared.isdecimal() else 0
    if size_bytes <= limit_bytes + FORM_OVERHEAD_BYTES:
        await refuse_when_full(deps, size_bytes)
        await deps.limits.room_for(caller, size_bytes)
    asset_id = new_id()
    async with receive(request, kind, limit_bytes, deps.uploads_dir) as received:
        await deps.limits.uploaded(caller, received.size_bytes)
        view = await admit(deps, asset_id, caller.owner, received)
    response.headers["Location"] = f"/api/assets/{asset_id}"
    return view


@router.post("/image", status_code=201, responses=_UPLOAD_PROBLEMS, openapi_extra=_UPLOAD_BODY)
async def upload_image(deps: Needs, caller: Who, request: Request, response: Response) -> AssetView:
    """Upload a picture: PNG, JPEG, WebP or HEIC."""
    return await _upload(deps, caller, request, response, "image")


@router.post("/video", status_code=201, responses=_UPLOAD_PROBLEMS, openapi_extra=_UPLOAD_BODY)
async def upload_video(deps: Needs, caller: Who, request: Request, response: Response) -> AssetView:
    """Upload a video: MP4, MOV or WebM."""
    return await _upload(deps, caller, request, response, "video")


@router.post("/audio", status_code=201, responses=_UPLOAD_PROBLEMS, openapi_extra=_UPLOAD_BODY)
async def upload_audio(deps: Needs, caller: Who, request: Request, response: Response) -> AssetView:
    """Upload sound: WAV, MP3, M4A, FLAC or OGG."""
    return await _upload(deps, caller, request, response, "audio")


@router.get("", responses=responses(_C.BODY_INVALID))
async def list_assets(
    deps: Needs,
    caller: Who,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    kind: MediaKind | None = None,
) -> AssetPage:
    """The caller's files (an operator: everyone's), newest first."""
    rows = await deps.read.assets(
        owner=caller.sees_only, limit=limit, before=read_cursor(cursor), kind=kind
    )
    return AssetPage(
        assets=[asset_view(row) for row in rows],
        next_cursor=next_cursor(rows, limit, "uploaded_sequence"),
    )


@router.get("/{asset_id}", responses=_FOUND_PROBLEMS)
async def get_asset(deps: Needs, caller: Who, asset_id: str) -> AssetView:
    """What is known of a file: `checking` until it was decoded, then `ready` or `rejected`."""
    return asset_view(await find_asset(deps, caller, asset_id))


@router.head("/{asset_id}/content", include_in_schema=False)
@router.get("/{asset_id}/content", response_class=Response, responses=_FILE_PROBLEMS)
async def asset_content(deps: Needs, caller: Who, asset_id: str, request: Request) -> Response:
    """The file as it was uploaded, with Range."""
    row = await find_asset(deps, caller, asset_id)
    # Bytes that were not proved to be media are handed back only as a download.
    disposition: Literal["inline", "attachment"] = (
        "inline" if row["status"] == "ready" else "attachment"
    )
    file = Served(row["media_key"], row["sha256"], row["filename"], row["mime_type"], disposition)
    return await serve(request, deps.media, file)


@router.head("/{asset_id}/thumbnail", include_in_schema=False)
@router.get("/{asset_id}/thumbnail", response_class=Response, responses=_FILE_PROBLEMS)
async def asset_thumbnail(deps: Needs, caller: Who, asset_id: str, request: Request) -> Response:
    """A small picture of a file that is ready (a waveform for sound)."""
    row = await find_asset(deps, caller, asset_id)
    if row["thumbnail_key"] is None:
        raise refused(_C.NOT_FOUND, sentence="There is no thumbnail of this file (yet).")
    etag = f"{row['sha256']}-thumbnail"
    file = Served(row["thumbnail_key"], etag, "thumbnail.jpg", "image/jpeg")
    return await serve(request, deps.media, file)
