"""The media store: bytes under keys, written whole or not at all.

Owns durability and atomicity of media. Must not know what the bytes mean, nor invent keys
(contracts.keys does).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import Histogram

from contracts.base import StoredFile
from runtime.ids import new_id
from runtime.settings import SharedSettings

CHUNK_BYTES = 1024 * 1024
MAX_KEY_CHARACTERS = 400
STORED_BYTES = Histogram(
    "animatrix_media_stored_bytes",
    "Sizes of what was stored, by the key's first part",
    ["family"],
    buckets=tuple(float(4**n * 1024) for n in range(1, 12)),
)
_KEY = re.compile(r"^[a-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$")


class MediaMissing(LookupError):
    """No bytes lie under the key."""


class MediaAway(OSError):
    """The store itself cannot be reached, so nothing can be said of any key; try again later."""


class InvalidKey(ValueError):
    """The key could leave the store or name something odd."""


@dataclass(frozen=True, slots=True)
class StoredStat:
    """Size in bytes and time of the last write of a key."""

    size_bytes: int
    modified_at: datetime


class MediaStore(Protocol):
    """Where media lie. Every put replaces the key whole; readers never see half a file."""

    async def put_file(self, key: str, path: Path) -> StoredFile:
        """Store a copy of the file at `path`."""
        ...

    async def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """Store the bytes."""
        ...

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Store a stream with constant memory; nothing is stored when the stream raises."""
        ...

    async def stat(self, key: str) -> StoredStat | None:
        """Size and time, or None when nothing lies under the key."""
        ...

    async def read_bytes(self, key: str) -> bytes:
        """The whole content. Raises MediaMissing."""
        ...

    def stream(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The content in chunks, from byte `start`. Raises MediaMissing at the first chunk."""
        ...

    def local_path(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A read-only path on this machine, for FFmpeg and PyAV. Raises MediaMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the key; absent is fine."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """Every key below the prefix (a folder without trailing slash)."""
        ...

    async def free_bytes(self) -> int | None:
        """Room left, or None where that has no meaning."""
        ...

    async def prepare(self) -> None:
        """Make what the store needs before its first use. Safe to repeat."""
        ...

    async def clear_unfinished(self, before: datetime, *, dry_run: bool) -> list[tuple[str, int]]:
        """Remove what died half written before a time; returns names and sizes in bytes."""
        ...

    async def delivery_url(
        self, key: str, *, expires_s: int, filename: str, mime_type: str
    ) -> str | None:
        """A signed address for one download, or None where the bytes must be streamed by us.

        The address lets its holder read this key, and nothing else, for `expires_s` seconds.
        """
        ...


def counted(stored: StoredFile) -> StoredFile:
    """The same, once it is in the metrics of what was stored."""
    STORED_BYTES.labels(stored.key.partition("/")[0]).observe(stored.size_bytes)
    return stored


def checked_key(key: str) -> str:
    """The key itself. Raises InvalidKey for one that could leave the store."""
    if not _KEY.match(key) or len(key) > MAX_KEY_CHARACTERS:
        raise InvalidKey(f"not a media key: {key!r}")
    return key


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class LocalMediaStore:
    """A folder on this machine. A key is written beside its place, fsynced and renamed."""

    def __init__(self, root: Path, *, make: bool = True) -> None:
        """Use `root`; without `make` it is not made, and the store is away while it is absent."""
        self._root = root.resolve()
        self._staging = self._root / ".staging"
        if make:
            self._staging.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _refuse_when_away(self) -> None:
        # A folder that is not mounted looks like one without any files.
        if not self._staging.is_dir():
            raise MediaAway(f"{self._root} is not there, or not mounted: it lacks .staging")

    async def put_file(self, key: str, path: Path) -> StoredFile:
        """See MediaStore."""

        async def chunks() -> AsyncIterator[bytes]:
            with path.open("rb") as source:
                while data := await asyncio.to_thread(source.read, CHUNK_BYTES):
                    yield data

        return await self.put_stream(key, chunks())

    async def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """See MediaStore."""

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        return await self.put_stream(key, chunks())

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """See MediaStore."""
        target = self._path(key)
        staged = self._staging / new_id()
        digest, size_bytes = hashlib.sha256(), 0
        try:
            with staged.open("xb") as sink:

                def write(data: bytes) -> None:
                    digest.update(data)
                    sink.write(data)

                async for data in chunks:
                    size_bytes += len(data)
                    if len(data) < CHUNK_BYTES // 8:
                        write(data)
                    else:
                        await asyncio.to_thread(write, data)
                sink.flush()
                await asyncio.to_thread(os.fsync, sink.fileno())
            await asyncio.to_thread(self._move, staged, target)
        finally:
            staged.unlink(missing_ok=True)
        return counted(StoredFile(key=key, sha256=digest.hexdigest(), size_bytes=size_bytes))

    def _move(self, staged: Path, target: Path) -> None:
        self._refuse_when_away()  # else its folders would be made where it is mounted
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(target)
        _fsync_folder(target.parent)

    async def stat(self, key: str) -> StoredStat | None:
        """See MediaStore."""
        try:
            found = await asyncio.to_thread(self._path(key).stat)
        except (FileNotFoundError, NotADirectoryError):
            self._refuse_when_away()
            return None
        return StoredStat(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    async def read_bytes(self, key: str) -> bytes:
        """See MediaStore."""
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except (FileNotFoundError, NotADirectoryError) as gone:
            self._refuse_when_away()
            raise MediaMissing(key) from gone

    async def stream(
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """See MediaStore."""
        try:
            source = self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError) as gone:
            self._refuse_when_away()
            raise MediaMissing(key) from gone
        with source:
            source.seek(start)
            left = length
            while left is None or left > 0:
                want = CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)
                data = await asyncio.to_thread(source.read, want)
                if not data:
                    return
                left = None if left is None else left - len(data)
                yield data

    @asynccontextmanager
    async def local_path(self, key: str) -> AsyncIterator[Path]:
        """See MediaStore."""
        path = self._path(key)
        if not await asyncio.to_thread(path.is_file):
            self._refuse_when_away()
            raise MediaMissing(key)
        yield path

    async def delete(self, key: str) -> None:
        """See MediaStore."""
        path = self._path(key)
        await asyncio.to_thread(lambda: path.unlink(missing_ok=True))

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """See MediaStore."""
        self._refuse_when_away()
        folder = self._path(prefix)
        found = await asyncio.to_thread(
            lambda: sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
        )
        for path in found:
            yield path.relative_to(self._root).as_posix()

    async def free_bytes(self) -> int | None:
        """See MediaStore."""
        return (await asyncio.to_thread(shutil.disk_usage, self._root)).free

    async def prepare(self) -> None:
        """Nothing to do: the folder is made when the store is opened."""

    async def clear_unfinished(self, before: datetime, *, dry_run: bool) -> list[tuple[str, int]]:
        """See MediaStore: what killed processes left beside the place of a key."""
        return await asyncio.to_thread(clear_files, self._staging, before, dry_run=dry_run)

    async def delivery_url(
        self, key: str, *, expires_s: int, filename: str, mime_type: str
    ) -> str | None:
        """None: a folder is reachable through us alone."""
        return None


def clear_files(folder: Path, before: datetime, *, dry_run: bool) -> list[tuple[str, int]]:
    """Remove the files of a folder last written before a time; returns names and sizes in bytes."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        if path.is_file() and stat.st_mtime < before.timestamp():
            found.append((f"{folder.name}/{path.name}", stat.st_size))
            if not dry_run:
                path.unlink(missing_ok=True)
    return found


def open_media_store(shared: SharedSettings) -> MediaStore:
    """The media store that the settings name: a bucket when there is a media URL, else a folder."""
    if shared.media_url is None:
        return _local_store(shared)
    # Imported here because the client takes 170 ms to import and a folder needs none.
    from runtime.media_store_s3 import S3MediaStore

    return S3MediaStore(shared)


def _local_store(shared: SharedSettings) -> LocalMediaStore:
    """The folder, made at the first time only: one that was there and is not is not mounted, and an
    empty one in its place would be taken for a store that lost everything.

    Remembered in the state folder, where there is one.
    """
    root = shared.media_dir.resolve()
    name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    known = shared.state_dir / f"media-{name}.known"
    store = LocalMediaStore(root, make=not known.exists())
    if shared.state_dir.is_dir() and not known.exists():
        known.write_text(f"{root}\n")
    return store


async def prepare_media_store(shared: SharedSettings) -> str | None:
    """Make the bucket that the settings name, if they name one; returns its URL."""
    if shared.media_url is not None:
        await open_media_store(shared).prepare()
    return shared.media_url
