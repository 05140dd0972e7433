"""Files to and from the server: POST /upload and GET /file=.

Owns the multipart form and the paths in URLs. Both routes belong to the UI and are missing on
a server that runs without it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx

from ..http.transport import Transport
from .errors import CapabilityMissing, EngineUnreachable, FileMissing, ProtocolError

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_UPLOAD = "/upload"


async def upload(http: Transport, data: bytes, name: str) -> str:
    """The file's path on the server, one of its own for every upload.

    Raises CapabilityMissing (no such route), EngineUnreachable, EngineRefused, ProtocolError,
    ValueError for an unfit name.
    """
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be an upload's name")
    boundary = secrets.token_hex(16)
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    try:
        answer = await http.send_once(
            "POST", _UPLOAD, content=_form(boundary, name, data), headers=headers
        )
    except httpx.HTTPError as error:
        cause = f"POST {_UPLOAD}: {type(error).__name__} {error}"
        raise EngineUnreachable(http.engine, cause) from error
    http.raise_if_barred("POST", _UPLOAD, answer)
    if answer.status in (404, 405):
        raise CapabilityMissing(http.engine, ("The server takes no uploads: it has no UI.",))
    if answer.status >= 500 or answer.status == 429:
        raise EngineUnreachable(http.engine, f"POST {_UPLOAD}: {answer.status} {answer.text()}")
    paths = http.json_value("POST", _UPLOAD, answer)
    if not isinstance(paths, list) or len(paths) != 1 or not isinstance(paths[0], str):
        raise ProtocolError(http.engine, f"POST {_UPLOAD}: no path in the answer")
    return paths[0]


async def fetch(http: Transport, path: str) -> bytes:
    """A file on the server, whole.

    Raises FileMissing (404), EngineRefused (403: outside the folders it serves),
    EngineUnreachable, ProtocolError.
    """
    answer = await http.ask("GET", f"/file={quote(path, safe='/')}")
    if answer.status == 404:
        raise FileMissing(http.engine, f"{path} is not there", path)
    if answer.status != 200:
        raise ProtocolError(http.engine, f"GET /file= of {path!r}: unexpected {answer.status}")
    return answer.body


async def _form(boundary: str, name: str, data: bytes) -> AsyncIterator[bytes]:
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    yield data
    yield f"\r\n--{boundary}--\r\n".encode()
