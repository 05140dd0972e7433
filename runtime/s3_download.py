"""One download from a bucket, chunk by chunk, off the event loop.

Owns taking up a broken connection where it broke, on the same version of the object. Must not
know keys of ours.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from minio import Minio
from minio.error import S3Error
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from runtime.media_store import CHUNK_BYTES

MAX_RESUMES = 3
log = structlog.get_logger()


class Download:
    """The bytes of an object from `start`, at most `length` of them, of the version `etag`.

    Without an etag it is the version that the first answer names. Not for two tasks at once.
    """

    def __init__(
        self,
        client: Minio,
        bucket: str,
        name: str,
        pool: ThreadPoolExecutor,
        start: int,
        length: int | None,
        etag: str | None,
    ) -> None:
        """Nothing is asked of the server yet."""
        self._client, self._bucket, self._name, self._pool = client, bucket, name, pool
        self._at, self._left, self._etag = start, length, etag
        self._response: BaseHTTPResponse | None = None
        self._pending: Future[bytes] | None = None

    async def next_chunk(self) -> bytes:
        """Up to CHUNK_BYTES bytes; empty at the end. Raises S3Error or urllib3's HTTPError."""
        self._pending = self._pool.submit(self._next_chunk)
        return await asyncio.wrap_future(self._pending)

    def close(self) -> None:
        """Give the connection back, when the thread that uses it (if any) is done with it."""
        if self._pending is not None:
            self._pending.add_done_callback(lambda _: self._drop())

    def _next_chunk(self) -> bytes:
        for resumes in range(MAX_RESUMES + 1):
            try:
                return self._read()
            except HTTPError as broken:
                self._drop()
                if resumes == MAX_RESUMES:
                    raise
                log.warning("a download broke off", at_bytes=self._at, reason=repr(broken))
        raise AssertionError("unreachable")

    def _read(self) -> bytes:
        if self._left == 0:
            return b""
        if self._response is None and not self._open():
            return b""
        assert self._response is not None  # noqa: S101 - for the type checker
        data = self._response.read(CHUNK_BYTES)
        self._at += len(data)
        if self._left is not None:
            self._left -= len(data)
        return data

    def _open(self) -> bool:
        """Ask for what is left; False when the object ends before."""
        headers = {"If-Match": f'"{self._etag}"'} if self._etag else None
        try:
            self._response = self._client.get_object(
                self._bucket,
                self._name,
                offset=self._at,
                length=self._left or 0,
                request_headers=dict(headers) if headers else None,
            )
        except S3Error as refused:
            if refused.code == "InvalidRange":
                return False
            raise
        self._etag = self._etag or self._response.headers.get("ETag", "").strip('"')
        return True

    def _drop(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()
            response.release_conn()
