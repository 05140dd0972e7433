"""The media store in a folder: a key is written beside its place, synced and renamed.

A file on the same file system is not copied but gets a second name. Must not invent keys.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from contracts.base import StoredFile
from runtime.ids import new_id
from runtime.media_store import (
    CHUNK_BYTES,
    MediaAway,
    MediaMissing,
    StoredStat,
    checked_key,
    counted,
)

_CANNOT_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
)
"""The file lies on another file system, or this one gives a file no second name: it is copied."""


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _linked(path: Path, name: Path) -> int:
    """Gives a file another name once it lies safely on the disk, written now as far as its time
    tells; returns its size in bytes."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.link(path, name)
        os.utime(file.fileno())
        return os.fstat(file.fileno()).st_size


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

    async def put_file(self, key: str, path: Path, *, sha256: str | None = None) -> StoredFile:
        """See MediaStore. On the same file system the file gets a second name and is not copied."""
        target, staged = self._path(key), self._staging / new_id()
        self._refuse_when_away()

        def name() -> StoredFile:
            # Each way to a thread and back costs more than what is done there to a small file.
            known = sha256 or _sha256_of(path)
            size_bytes = _linked(path, staged)
            self._move(staged, target)
            return StoredFile(key=key, sha256=known, size_bytes=size_bytes)

        try:
            return counted(await asyncio.to_thread(name))
        except OSError as trouble:
            if trouble.errno not in _CANNOT_LINK:
                raise
            return await self._copy_file(key, path)
        finally:
            staged.unlink(missing_ok=True)

    async def _copy_file(self, key: str, path: Path) -> StoredFile:
        async def chunks() -> AsyncIterator[bytes]:
            with path.open("rb") as source:
                while data := await asyncio.to_thread(source.read, CHUNK_BYTES):
                    yield data

        return await self.put_stream(key, chunks())

    async def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """See MediaStore."""
        await asyncio.to_thread(self._write, data, self._path(key))
        sha256 = hashlib.sha256(data).hexdigest()
        return counted(StoredFile(key=key, sha256=sha256, size_bytes=len(data)))

    def _write(self, data: bytes, target: Path) -> None:
        staged = self._staging / new_id()
        try:
            with staged.open("xb") as sink:
                sink.write(data)
                sink.flush()
                self._settle(sink.fileno(), staged, target)
        finally:
            staged.unlink(missing_ok=True)

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
                await asyncio.to_thread(self._settle, sink.fileno(), staged, target)
        finally:
            staged.unlink(missing_ok=True)
        return counted(StoredFile(key=key, sha256=digest.hexdigest(), size_bytes=size_bytes))

    def _settle(self, file: int, staged: Path, target: Path) -> None:
        os.fsync(file)
        self._move(staged, target)

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
                if len(data) < want:
                    return

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
