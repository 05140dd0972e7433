"""Receives one multipart upload onto disk with constant memory, hashing it on the way.

The parser is fed as bytes arrive; nothing is spooled. A file that is too large or not media is
refused as soon as that is known; whatever goes wrong, no file stays behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import structlog
from prometheus_client import Counter
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from contracts.errors import ErrorCode, error_info
from contracts.media import MediaKind
from runtime.ids import new_id
from runtime.sniff import HEAD_BYTES, FileRefused, Sniffed, sniff
from services.gateway.problems import Refused, refused

log = structlog.get_logger()
RECEIVED_BYTES = Counter("animatrix_upload_bytes", "Bytes of accepted uploads", ["kind"])
WRITE_BYTES = 1024 * 1024
FORM_OVERHEAD_BYTES = 64 * 1024
"""What boundaries and headers of a form may add to the file."""
MAX_FILENAME_CHARACTERS = 200
ABANDONED_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Received:
    """A whole upload on this machine's disk; gone when the block that received it ends."""

    path: Path
    filename: str
    sniffed: Sniffed
    sha256: str
    size_bytes: int


def clean_filename(raw: str) -> str:
    """The last part of a file name from outside, without control characters, not too long."""
    name = PurePosixPath(raw.replace("\\", "/")).name
    name = "".join(c for c in name if c.isprintable()).strip()
    if len(name) > MAX_FILENAME_CHARACTERS:
        stem, dot, suffix = name.rpartition(".")
        keep = max(1, MAX_FILENAME_CHARACTERS - len(suffix) - 1)
        name = f"{stem[:keep]}{dot}{suffix[:20]}" if dot else name[:MAX_FILENAME_CHARACTERS]
    return name or "unnamed"


class _Form:
    """Collects the one part named `file`; knows nothing of disk or network."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.filename: str | None = None
        self.file_ended = False
        self.ended = False
        self._in_file = False
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._disposition = b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._part_begin,
            "on_header_begin": self._header_begin,
            "on_header_field": lambda data, a, b: self._header_name.extend(data[a:b]),
            "on_header_value": lambda data, a, b: self._header_value.extend(data[a:b]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._disposition, self._in_file = b"", False

    def _header_begin(self) -> None:
        self._header_name.clear()
        self._header_value.clear()

    def _header_end(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name != "file" or self.filename is not None:
            what = "sent twice" if name == "file" else "not a known field"
            raise refused(
                ErrorCode.BODY_INVALID,
                sentence=f"'{name[:60]}' is {what}.",
                remedy="Send exactly one field, named 'file'.",
                field=name[:60],
            )
        self.filename = clean_filename(options.get(b"filename", b"").decode("utf-8", "replace"))
        self._in_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self.pending += data[start:end]

    def _part_end(self) -> None:
        self.file_ended = self.file_ended or self._in_file

    def _end(self) -> None:
        self.ended = True


class _Sink:
    """Writes and hashes what the form collected; refuses what is too large or not media."""

    def __init__(self, out: BinaryIO, kind: MediaKind, limit_bytes: int) -> None:
        self._out = out
        self._kind = kind
        self._limit_bytes = limit_bytes
        self._digest = hashlib.sha256()
        self._writing: asyncio.Task[None] | None = None
        self.size_bytes = 0
        self.sniffed: Sniffed | None = None

    async def take(self, form: _Form, *, last: bool = False) -> None:
        """Write pending bytes in large pieces, off the event loop and while the next arrive.

        With `last`, everything is written when this returns. Raises OSError when the disk is full.
        """
        self._look(form, last=last)
        if form.pending and (len(form.pending) >= WRITE_BYTES or last):
            await self.settled()
            data, form.pending = form.pending, bytearray()
            self.size_bytes += len(data)
            self._writing = asyncio.create_task(asyncio.to_thread(self._write, data))
        if last:
            await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is being written. Raises what writing raised."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    def _look(self, form: _Form, *, last: bool) -> None:
        seen = self.size_bytes + len(form.pending)
        if seen > self._limit_bytes:
            raise too_large(self._kind, self._limit_bytes)
        if self.sniffed is None and form.filename is not None and (last or seen >= HEAD_BYTES):
            try:
                head = bytes(form.pending[:HEAD_BYTES])
                self.sniffed = sniff(head, form.filename, self._kind)
            except FileRefused as wrong:
                log.info("upload refused", code=wrong.code, reason=wrong.detail)
                raise refusal_of(wrong) from wrong

    def _write(self, data: bytearray) -> None:
        self._digest.update(data)
        self._out.write(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def refusal_of(wrong: FileRefused) -> Refused:
    """What an uploader is told of a file that is not what it should be."""
    if wrong.code is ErrorCode.ASSET_WRONG_KIND:
        return refused(
            wrong.code,
            sentence="The file is of another kind than this address takes.",
            remedy="Send images, videos and audio files each to their own address.",
            field="file",
        )
    return Refused(error_info(wrong.code, field="file"))


def too_large(kind: MediaKind, limit_bytes: int) -> Refused:
    """The refusal of a file beyond its kind's limit."""
    limit_mb = limit_bytes // (1024 * 1024)
    return refused(
        ErrorCode.FILE_TOO_LARGE,
        sentence=f"The file is too large: {kind} files may have at most {limit_mb} MB.",
        field="file",
    )


def _parser(request: Request, form: _Form) -> MultipartParser:
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if content_type != b"multipart/form-data" or not boundary:
        raise refused(ErrorCode.FILE_MISSING, field="file")
    return MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]


@asynccontextmanager
async def receive(
    request: Request, kind: MediaKind, limit_bytes: int, folder: Path
) -> AsyncIterator[Received]:
    """The upload of a request on disk, whole and plausible, for as long as the block runs.

    Raises Refused: FILE_MISSING, FILE_EMPTY, FILE_TOO_LARGE, UPLOAD_INCOMPLETE, BODY_INVALID and
    what runtime.sniff refuses.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes + FORM_OVERHEAD_BYTES:
        raise too_large(kind, limit_bytes)
    path = folder / f"{new_id()}.part"
    try:
        with path.open("xb") as out:
            form, sink = _Form(), _Sink(out, kind, limit_bytes)
            try:
                await _read(request, _parser(request, form), form, sink)
            finally:
                # Not while a piece is on its way: its file would be closed under it.
                with suppress(OSError):
                    await sink.settled()
        if sink.sniffed is None or form.filename is None:
            raise refused(ErrorCode.FILE_MISSING, field="file")
        yield Received(path, form.filename, sink.sniffed, sink.sha256, sink.size_bytes)
    finally:
        path.unlink(missing_ok=True)


async def _read(request: Request, parser: MultipartParser, form: _Form, sink: _Sink) -> None:
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            await sink.take(form)
        parser.finalize()
    except (FormParserError, ClientDisconnect) as broken:
        log.info("upload broke off", reason=repr(broken), received_bytes=sink.size_bytes)
        raise refused(ErrorCode.UPLOAD_INCOMPLETE, field="file") from broken
    if form.filename is None:
        raise refused(ErrorCode.FILE_MISSING, field="file")
    if not form.ended or not form.file_ended:
        raise refused(ErrorCode.UPLOAD_INCOMPLETE, field="file")
    await sink.take(form, last=True)


def prepare_folder(folder: Path) -> None:
    """Make the folder of uploads under way, and remove what a killed process left in it.

    Another gateway may be receiving into it: what was written to lately stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.part"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER_S:
                left.unlink()
