"""Serves stored bytes over HTTP: Range, ETag, conditional requests (RFC 9110). Pure HTTP.

Must not know what is served, nor look names up.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from contracts.errors import ErrorCode
from runtime.media_store import MediaMissing, MediaStore
from services.gateway.problems import refused

_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")
_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Served:
    """A stored file as it is to be served: what it is called and what it must be."""

    key: str
    sha256: str
    filename: str
    media_type: str
    disposition: Literal["inline", "attachment"] = "inline"


def byte_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The first and last byte wanted, or None for the whole file.

    Several ranges, other units and malformed headers are ignored, as RFC 9110 allows. Raises
    Refused RANGE_UNSATISFIABLE for a range outside the file.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or not (match["first"] or match["last"]):
        return None
    if match["first"]:
        first = int(match["first"])
        last = min(int(match["last"]), size_bytes - 1) if match["last"] else size_bytes - 1
        if match["last"] and int(match["last"]) < first:
            return None
    else:
        first, last = max(0, size_bytes - int(match["last"])), size_bytes - 1
    if first >= size_bytes or last < first:
        raise refused(
            ErrorCode.RANGE_UNSATISFIABLE, headers={"Content-Range": f"bytes */{size_bytes}"}
        )
    return first, last


def content_disposition(disposition: str, filename: str) -> str:
    """The header (RFC 6266) for a name that came from outside."""
    plain = _PLAIN.sub("_", filename) or "file"
    return f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _matches(header: str | None, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in (header or "").split(",")}
    return etag in tags or "*" in tags


async def serve(request: Request, media: MediaStore, file: Served) -> Response:
    """The response: whole, part, or not modified. Raises Refused NOT_FOUND, RANGE_UNSATISFIABLE."""
    stat = await media.stat(file.key)
    if stat is None:
        raise refused(ErrorCode.NOT_FOUND, sentence="The file is no longer here.")
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition(file.disposition, file.filename),
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    fresh = request.headers.get("if-range") in (None, etag)
    wanted = byte_range(request.headers.get("range") if fresh else None, stat.size_bytes)
    first, last = wanted or (0, stat.size_bytes - 1)
    length = last - first + 1
    headers["Content-Length"] = str(length)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{stat.size_bytes}"
    status = 200 if wanted is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    chunks = media.stream(file.key, first, length)
    try:
        head = await anext(chunks, b"")
    except MediaMissing as gone:
        raise refused(ErrorCode.NOT_FOUND, sentence="The file is no longer here.") from gone

    async def body() -> AsyncIterator[bytes]:
        yield head
        async for chunk in chunks:
            yield chunk

    return StreamingResponse(body(), status, headers, media_type=file.media_type)
