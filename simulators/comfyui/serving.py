"""Sends a stored file with ranges and validators, as aiohttp does for /view.

Owns the headers of a file answer. Starlette sends the bytes; where it is more lenient or
stricter than aiohttp (odd ranges, If-Range, conditional requests) the rule is made here.
"""

import mimetypes
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

# Sent as plain bytes, so that an uploaded page cannot run in a browser.
ACTIVE_TYPES = ("text/html", "text/javascript", "application/javascript", "text/css", "image/svg")

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class _RangedFile(FileResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file; If-Range is not honoured, so a range is always a range."""
        headers = [(k, v) for k, v in scope["headers"] if k != b"if-range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def _satisfiable(asked: str, size: int) -> bool:
    match = _RANGE.fullmatch(asked.strip())
    if match is None or not (match[1] or match[2]):
        return False
    if not match[1]:
        return int(match[2]) > 0
    return int(match[1]) < size and (not match[2] or int(match[1]) <= int(match[2]))


def _unchanged(response: FileResponse, asked: Headers, changed_s: int) -> bool:
    if tags := asked.get("if-none-match"):
        return response.headers["etag"] in [tag.strip() for tag in tags.split(",")]
    try:
        since = parsedate_to_datetime(asked.get("if-modified-since", ""))
    except ValueError:
        return False
    return changed_s <= since.timestamp()


def served(path: Path, asked: Headers) -> Response:
    """The answer for a file: 200, 206, 304 or 416."""
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type.startswith(ACTIVE_TYPES):
        media_type = "application/octet-stream"
    stat = path.stat()
    response = _RangedFile(path, media_type=media_type, stat_result=stat)
    plain = "".join(c if c.isprintable() else "_" for c in path.name)
    quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
    # UTF-8 in a header, as the real server sends it.
    disposition = (b"content-disposition", f'filename="{quoted}"'.encode())
    response.raw_headers.append(disposition)
    if _unchanged(response, asked, int(stat.st_mtime)):
        return _empty(304, {"etag": response.headers["etag"]}, disposition)
    if (wanted := asked.get("range")) and not _satisfiable(wanted, stat.st_size):
        return _empty(416, {"content-range": f"bytes */{stat.st_size}"}, disposition)
    return response


def _empty(status: int, headers: dict[str, Any], disposition: tuple[bytes, bytes]) -> Response:
    answer = Response(status_code=status, headers=headers)
    answer.raw_headers.append(disposition)
    return answer
