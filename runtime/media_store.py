"""The media store: bytes under keys, written whole or not at all.

Owns durability and atomicity of media. Must not know what the bytes mean, nor invent keys
(contracts.keys does).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import Histogram

from contracts.base import StoredFile
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

    async def put_file(self, key: str, path: Path, *, sha256: str | None = None) -> StoredFile:
        """Store the file at `path`, which nobody may write to from now on: it may become the stored
        file itself. `sha256` spares reading it where its hash is known."""
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


def open_media_store(shared: SharedSettings) -> MediaStore:
    """The media store that the settings name: a bucket when there is a media URL, else a folder."""
    if shared.media_url is None:
        return _local_store(shared)
    # Imported here because the client takes 170 ms to import and a folder needs none.
    from runtime.media_store_s3 import S3MediaStore

    return S3MediaStore(shared)


def _local_store(shared: SharedSettings) -> MediaStore:
    """The folder, made at the first time only: one that was there and is not is not mounted, and an
    empty one in its place would be taken for a store that lost everything.

    Remembered in the state folder, where there is one.
    """
    from runtime.media_store_local import LocalMediaStore

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
