"""The media store in an S3 bucket: MinIO, Amazon or another server of the protocol.

The client is synchronous: it runs in two bounded pools of threads, one that reads and one that
writes, because a write waits for its producer and the producer may be a read. Must not be imported
where a folder is enough (runtime.media_store chooses).
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import cached_property
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from minio.datatypes import Object
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError

from contracts.base import StoredFile
from runtime.media_cache import MediaCache
from runtime.media_store import MediaAway, MediaMissing, StoredStat, checked_key, counted
from runtime.s3_client import clear_unfinished_uploads, open_client, presigned_get
from runtime.s3_download import Download
from runtime.s3_feed import Feed
from runtime.settings import SharedSettings

PART_BYTES = 8 * 1024 * 1024
"""One part of an upload; S3 allows 10,000 parts, so a file may have 80 GB."""
READERS, WRITERS = 16, 8
MEGABYTE = 1024 * 1024
_LISTED_AT_ONCE = 1000
_SERVER_IN_TROUBLE = 500
_ABSENT = frozenset({"NoSuchKey", "NoSuchObject", "XMinioParentIsObject"})
T = TypeVar("T")


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Hashing:
    """Reads on behalf of the client, and hashes and counts what passes."""

    def __init__(self, source: _Readable) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._digest.update(data)
        self.size_bytes += len(data)
        return data

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@contextmanager
def _reachable() -> Iterator[None]:
    """Raises MediaAway for what says nothing of a key: no connection, or a server in trouble."""
    try:
        yield
    except S3Error as refused:
        if refused.response is None or refused.response.status < _SERVER_IN_TROUBLE:
            raise
        raise MediaAway(f"the media store answers {refused.code}") from refused
    except (HTTPError, ServerError, InvalidResponseError) as trouble:
        raise MediaAway(f"the media store cannot be reached: {trouble!r}") from trouble


class S3MediaStore:
    """A bucket, or what lies below a prefix in it. An object appears when its last part is there.

    A server that cannot be reached, or cannot answer now, is MediaAway like a folder that is not
    mounted; what it refuses for good (credentials, a bucket that is not there) is S3Error.
    """

    def __init__(self, shared: SharedSettings) -> None:
        """Connects to nothing yet. Raises ValueError when the settings name no bucket."""
        if shared.media_url is None:
            raise ValueError("no media URL is set")
        url = urlsplit(shared.media_url)
        self._bucket = url.netloc
        self._prefix = f"{checked_key(path)}/" if (path := url.path.strip("/")) else ""
        self._shared = shared
        self._client = open_client(shared, shared.s3_endpoint, connections=READERS + WRITERS)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="s3-read")
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="s3-write")

    @cached_property
    def _cache(self) -> MediaCache:
        # Made at first use: who needs no files on this machine needs no folder either.
        return MediaCache(self._shared.media_cache_dir, self._shared.media_cache_mb * MEGABYTE)

    def _name(self, key: str) -> str:
        return self._prefix + checked_key(key)

    async def _read(self, call: Callable[[], T]) -> T:
        with _reachable():
            return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def _put(self, key: str, source: _Readable, length: int) -> StoredFile:
        hashing = _Hashing(source)
        content_type, _ = mimetypes.guess_type(key)
        with _reachable():
            self._client.put_object(
                self._bucket,
                self._name(key),
                cast(BinaryIO, hashing),
                length,
                content_type or "application/octet-stream",
                part_size=PART_BYTES,
                num_parallel_uploads=1,
            )
        stored = StoredFile(key=key, sha256=hashing.sha256, size_bytes=hashing.size_bytes)
        return counted(stored)

    async def put_file(self, key: str, path: Path, *, sha256: str | None = None) -> StoredFile:
        """See MediaStore. The bytes are hashed on their way in any case."""

        def put() -> StoredFile:
            with path.open("rb") as source:
                return self._put(key, source, -1)

        return await asyncio.get_running_loop().run_in_executor(self._writers, put)

    async def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """See MediaStore."""
        return await asyncio.get_running_loop().run_in_executor(
            self._writers, lambda: self._put(key, BytesIO(data), len(data))
        )

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """See MediaStore. When the stream raises, the upload is aborted before this returns."""
        checked_key(key)
        loop = asyncio.get_running_loop()
        feed = Feed(loop)
        putting = loop.run_in_executor(self._writers, lambda: self._put(key, feed, -1))
        try:
            async for data in chunks:
                if data and not await feed.give(data, unless=putting):
                    break
            else:
                await feed.give(b"", unless=putting)
            return await asyncio.shield(putting)
        except BaseException as failure:
            feed.fail(failure)
            # The thread must be out of the feed before anybody forgets about it.
            await asyncio.wait([putting])
            putting.exception()
            raise

    async def _stat(self, key: str) -> Object | None:
        name = self._name(key)
        try:
            return await self._read(lambda: self._client.stat_object(self._bucket, name))
        except S3Error as refused:
            if refused.code in _ABSENT:
                return None
            raise

    async def stat(self, key: str) -> StoredStat | None:
        """See MediaStore."""
        found = await self._stat(key)
        if found is None or found.size is None or found.last_modified is None:
            return None
        return StoredStat(found.size, found.last_modified)

    async def read_bytes(self, key: str) -> bytes:
        """See MediaStore."""
        return b"".join([data async for data in self.stream(key)])

    async def stream(
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """See MediaStore. A connection that breaks off is taken up again where it broke."""
        async with self._download(key, start, length, None) as download:
            while data := await download.next_chunk():
                yield data

    @asynccontextmanager
    async def _download(
        self, key: str, start: int, length: int | None, etag: str | None
    ) -> AsyncIterator[Download]:
        download = Download(
            self._client, self._bucket, self._name(key), self._readers, start, length, etag
        )
        try:
            with _reachable():
                yield download
        except S3Error as refused:
            if refused.code in _ABSENT:
                raise MediaMissing(key) from refused
            raise
        finally:
            download.close()

    @asynccontextmanager
    async def local_path(self, key: str) -> AsyncIterator[Path]:
        """See MediaStore. The file comes from the cache, which holds it by key and version."""
        found = await self._stat(key)
        if found is None or found.size is None or not found.etag:
            raise MediaMissing(key)
        etag = found.etag

        async def fetch(path: Path) -> None:
            async with self._download(key, 0, None, etag) as download:
                with path.open("xb") as sink:
                    while data := await download.next_chunk():
                        await asyncio.to_thread(sink.write, data)

        name = hashlib.sha256(f"{self._bucket}/{self._name(key)}@{etag}".encode()).hexdigest()
        shown_name = key.rpartition("/")[2][-100:]
        async with self._cache.hold(name, shown_name, found.size, fetch) as path:
            yield path

    async def delete(self, key: str) -> None:
        """See MediaStore."""
        name = self._name(key)
        await self._read(lambda: self._client.remove_object(self._bucket, name))

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """See MediaStore."""
        listing = self._client.list_objects(
            self._bucket, prefix=f"{self._name(prefix)}/", recursive=True
        )
        while some := await self._read(lambda: list(islice(listing, _LISTED_AT_ONCE))):
            for found in some:
                if found.object_name is not None:
                    yield found.object_name.removeprefix(self._prefix)

    async def free_bytes(self) -> int | None:
        """None: a bucket does not say."""
        return None

    async def prepare(self) -> None:
        """Make the bucket unless it is there, and let the server clear unfinished uploads away."""

        def make() -> None:
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket, location=self._shared.s3_region)
            clear_unfinished_uploads(self._client, self._bucket, self._prefix)

        await self._read(make)

    async def clear_unfinished(self, before: datetime, *, dry_run: bool) -> list[tuple[str, int]]:
        """See MediaStore: in this machine's cache; the server clears its own (see `prepare`)."""
        return await asyncio.to_thread(self._cache.clear_abandoned, before, dry_run=dry_run)

    async def delivery_url(
        self, key: str, *, expires_s: int, filename: str, mime_type: str
    ) -> str | None:
        """See MediaStore."""
        name = self._name(key)
        return await self._read(
            lambda: presigned_get(self._shared, self._bucket, name, expires_s, filename, mime_type)
        )
