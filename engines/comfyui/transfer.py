"""Bytes to and from an engine without holding them: multipart out, streamed views in.

Owns the multipart form (names are sent as they are, never percent-encoded, since ComfyUI
would keep the encoded name), byte ranges, and resuming a broken download. Memory stays at a
chunk or two whatever the size of the file.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import anyio
import httpx

from ..http.transport import CHUNK_BYTES, Transport
from .errors import EngineUnreachable, OutputMissing, ProtocolError, RangeRefused, UploadRefused
from .outputs import FileRef, OutputFile

Folder: TypeAlias = Literal["input", "output", "temp"]
_UPLOAD = "/upload/image"

Sink: TypeAlias = Callable[[bytes], Awaitable[object]]
Viewable: TypeAlias = OutputFile | FileRef


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as the engine keeps it: use these names, not the ones that were asked for."""

    name: str
    subfolder: str
    type: str

    @property
    def reference(self) -> str:
        """What a Load node's input takes: `subfolder/name`, marked where not in input."""
        path = f"{self.subfolder}/{self.name}" if self.subfolder else self.name
        return path if self.type == "input" else f"{path} [{self.type}]"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included and from 0; to the end without `last`."""

    first: int
    last: int | None = None

    def header(self) -> str:
        """The value of the Range header."""
        return f"bytes={self.first}-{'' if self.last is None else self.last}"


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a whole download was: its size and the engine's content type."""

    size_bytes: int
    content_type: str


class View:
    """An open /view answer. `size_bytes` is the length of this body, where told."""

    def __init__(self, response: httpx.Response, engine: str) -> None:
        self._response = response
        self._engine = engine
        length = response.headers.get("content-length", "")
        self.size_bytes = int(length) if length.isdigit() else None
        self.content_type: str = response.headers.get("content-type", "")
        self.etag: str | None = response.headers.get("etag")
        self.partial = response.status_code == 206

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces of at most `CHUNK_BYTES`, read as they are consumed.

        Raises EngineUnreachable when the connection breaks before the end.
        """
        try:
            async for chunk in self._response.aiter_bytes(CHUNK_BYTES):
                yield chunk
        except httpx.HTTPError as broken:
            cause = f"GET /view broke off: {type(broken).__name__} {broken}"
            raise EngineUnreachable(self._engine, cause) from broken


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form with one streamed file: the body's chunks and its headers."""

    chunks: AsyncIterator[bytes]
    headers: dict[str, str]


def upload_form(
    source: Path | AsyncIterable[bytes],
    size_bytes: int | None,
    *,
    name: str,
    subfolder: str,
    type: Folder,
    overwrite: bool,
) -> Form:
    """The form for POST /upload/image; a source of unknown size is sent in chunks.

    Raises ValueError for a name or subfolder that could leave the folder or break the form.
    """
    _check_name(name)
    for part in PurePosixPath(subfolder).parts:
        _check_name(part)
    boundary = secrets.token_hex(16)
    fields = {"type": type, "subfolder": subfolder, "overwrite": "true" if overwrite else "false"}
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    )
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    first, last = head.encode(), f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if size_bytes is not None:
        headers["Content-Length"] = str(len(first) + size_bytes + len(last))
    return Form(_body(first, source, last), headers)


async def upload(
    http: Transport,
    source: Path | AsyncIterable[bytes],
    size_bytes: int | None,
    *,
    name: str,
    subfolder: str,
    type: Folder,
    overwrite: bool,
) -> UploadedFile:
    """POST /upload/image, sent once. Raises UploadRefused, EngineUnreachable, OSError."""
    if isinstance(source, Path):
        size_bytes = (await asyncio.to_thread(source.stat)).st_size
    form = upload_form(
        source, size_bytes, name=name, subfolder=subfolder, type=type, overwrite=overwrite
    )
    try:
        answer = await http.send_once("POST", _UPLOAD, content=form.chunks, headers=form.headers)
    except httpx.HTTPError as error:
        cause = f"POST {_UPLOAD}: {error.__class__.__name__} {error}"
        raise EngineUnreachable(http.engine, cause) from error
    http.raise_if_barred("POST", _UPLOAD, answer)
    cause = f"POST {_UPLOAD}: {answer.status} {answer.text()}"
    if answer.status in (400, 413):
        told = re.search(r"size (\d+) exceeded", cause)
        limit_bytes = int(told[1]) if told else None
        raise UploadRefused(http.engine, cause, status=answer.status, limit_bytes=limit_bytes)
    if answer.status == 429 or answer.status >= 500:
        raise EngineUnreachable(http.engine, cause)
    kept = http.json_object("POST", _UPLOAD, answer)
    try:
        return UploadedFile(str(kept["name"]), str(kept["subfolder"]), str(kept["type"]))
    except KeyError as error:
        raise ProtocolError(http.engine, f"POST {_UPLOAD}: no {error} in the answer") from error


@asynccontextmanager
async def open_view(http: Transport, ref: Viewable, headers: dict[str, str]) -> AsyncIterator[View]:
    """GET /view with these extra headers. Raises OutputMissing, RangeRefused, ProtocolError."""
    params = {"filename": ref.filename, "subfolder": ref.subfolder, "type": ref.type}
    async with http.stream("/view", params=params, headers=headers) as response:
        if response.status_code == 404:
            raise OutputMissing(http.engine, f"{ref.filename} is not there", ref.filename)
        if response.status_code == 416:
            size = response.headers.get("content-range", "").rpartition("/")[2]
            cause = f"{ref.filename} has no bytes {headers.get('Range')}"
            raise RangeRefused(http.engine, cause, int(size) if size.isdigit() else None)
        if response.status_code not in (200, 206):
            cause = f"GET /view of {ref.filename!r}: unexpected {response.status_code}"
            raise ProtocolError(http.engine, cause)
        yield View(response, http.engine)


async def download(http: Transport, ref: Viewable, sink: Sink, *, tries: int) -> Downloaded:
    """The whole file into `sink`, chunk by chunk, going on where a connection broke.

    Going on needs the ETag, so that two versions of a file never mix. Raises as `open_view`,
    EngineUnreachable after `tries` broken connections, and whatever the sink raises.
    """
    done, etag, content_type = 0, "", ""
    for attempt in range(tries):
        headers = {"Range": f"bytes={done}-", "If-Range": etag} if done else {}
        try:
            async with open_view(http, ref, headers) as view:
                if done and not view.partial:
                    raise ProtocolError(http.engine, f"{ref.filename} changed while it was fetched")
                etag, content_type = view.etag or "", view.content_type
                async for chunk in view.chunks():
                    await sink(chunk)
                    done += len(chunk)
                return Downloaded(done, content_type)
        except EngineUnreachable:
            if attempt == tries - 1 or (done and not etag):
                raise
    raise AssertionError("download needs at least one try")


async def _body(
    first: bytes, source: Path | AsyncIterable[bytes], last: bytes
) -> AsyncIterator[bytes]:
    yield first
    if isinstance(source, Path):
        async with await anyio.open_file(source, "rb") as file:
            while chunk := await file.read(CHUNK_BYTES):
                yield chunk
    else:
        async for chunk in source:
            yield chunk
    yield last


def _check_name(name: str) -> None:
    if not name or name in (".", "..") or not name.isprintable():
        raise ValueError(f"{name!r} cannot be an upload's name or folder")
    if any(ch in name for ch in '/\\"'):
        raise ValueError("an upload's name holds no slash, backslash or double quote")
