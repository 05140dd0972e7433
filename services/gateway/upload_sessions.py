"""Uploads that may be interrupted: what has arrived of each, on this machine's disk.

The storage under the tus server. How much has arrived is what lies on the disk, never what was
noted: a killed process leaves nothing that a resumed upload could be joined to wrongly. Must not
decide who may upload what, and must not publish.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import structlog
from tuspyserver.storage import TusStorage

from contracts.errors import ErrorCode
from contracts.media import MediaKind
from runtime.ids import is_id, new_id
from runtime.sniff import HEAD_BYTES, FileRefused, Sniffed, sniff
from services.gateway.problems import Refused, RefusedInside, refused
from services.gateway.receiving import WRITE_BYTES, refusal_of

log = structlog.get_logger()
KEPT_S = 24 * 3600.0
"""How long an upload may rest before what arrived of it is thrown away."""
SWEEP_EVERY_S = 600.0
_TURN_S = 10.0


@dataclass(frozen=True, slots=True)
class Session:
    """One upload: whose it is, what it is said to be, and how much of it is there."""

    upload_id: str
    owner: str
    kind: MediaKind
    filename: str
    size_bytes: int
    received_bytes: int
    settled: bool
    path: Path

    @property
    def whole(self) -> bool:
        """True when every byte is there, or was and became an asset."""
        return self.settled or self.received_bytes == self.size_bytes

    def sniffed(self) -> Sniffed:
        """What the first bytes say. Raises Refused when they are not of the announced kind."""
        with self.path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        try:
            return sniff(head, self.filename, self.kind)
        except FileRefused as wrong:
            log.info("upload refused", code=wrong.code, reason=wrong.detail)
            raise refusal_of(wrong) from wrong


class UploadSessions(TusStorage):
    """Keeps uploads in a folder: `<id>` holds the bytes, `.session` and `.json` what is known."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._pending: dict[str, bytearray] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def _path(self, uid: str) -> Path:
        if not is_id(uid):
            raise RefusedInside(refused(ErrorCode.NOT_FOUND))
        return self._folder / uid

    def _info_path(self, uid: str) -> Path:
        return self._path(uid).with_suffix(".json")

    def _own_path(self, uid: str) -> Path:
        return self._path(uid).with_suffix(".session")

    def _files(self, uid: str) -> tuple[Path, Path, Path]:
        return self._path(uid), self._info_path(uid), self._own_path(uid)

    # What the gateway asks.

    async def open(self, owner: str, kind: MediaKind, filename: str) -> str:
        """Note whose upload comes, and what it is said to be; returns its id."""
        uid = new_id()
        _note(self._own_path(uid), {"owner": owner, "kind": kind, "filename": filename})
        return uid

    async def find(self, uid: str) -> Session | None:
        """An upload under way or settled, None when there is none of this id."""
        info = await self.read_info(uid) if is_id(uid) else None
        own = _noted(self._own_path(uid)) if info is not None else None
        if info is None or own is None:
            return None
        return Session(
            upload_id=uid,
            owner=own["owner"],
            kind=own["kind"],
            filename=own["filename"],
            size_bytes=info["size"],
            received_bytes=info["offset"],
            settled="settled" in own,
            path=self._path(uid),
        )

    async def settle(self, session: Session) -> None:
        """Remember that the upload became an asset, and let its bytes go."""
        path = self._own_path(session.upload_id)
        _note(path, {**(_noted(path) or {}), "settled": True})
        session.path.unlink(missing_ok=True)

    async def reserved_bytes(self) -> int:
        """How much is still to come of all uploads under way."""
        total = 0
        for uid in await self.list_uids():
            session = await self.find(uid)
            if session is not None and not session.whole:
                total += session.size_bytes - session.received_bytes
        return total

    async def sweep(self, kept_s: float = KEPT_S) -> int:
        """Throw away what has rested longer than `kept_s`; returns how many."""
        gone, oldest = 0, time.time() - kept_s
        for uid in await self.list_uids():
            touched = max(p.stat().st_mtime for p in self._files(uid) if p.exists())
            if touched < oldest:
                await self.delete(uid)
                gone += 1
        return gone

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep from time to time until the process stops."""
        while not stopping.is_set():
            gone = await self.sweep()
            if gone:
                log.info("uploads given up were swept", count=gone)
            try:
                await asyncio.wait_for(stopping.wait(), SWEEP_EVERY_S)
            except TimeoutError:
                continue

    # What the tus server asks.

    async def create(self, uid: str) -> None:
        """Begin an empty upload."""
        self._path(uid).touch()

    async def exists(self, uid: str) -> bool:
        """True for one under way and for one that became an asset."""
        return self._info_path(uid).exists()

    async def size(self, uid: str) -> int:
        """Bytes that have arrived and lie on the disk."""
        path = self._path(uid)
        return path.stat().st_size if path.exists() else 0

    async def append(self, uid: str, chunk: bytes) -> None:
        """Take one chunk; written in large pieces. Raises RefusedInside for what is not media."""
        pending = self._pending.setdefault(uid, bytearray())
        pending += chunk
        if len(pending) >= WRITE_BYTES:
            await self.flush(uid)

    async def flush(self, uid: str) -> None:
        """Write what is pending. Raises RefusedInside: not media, disk full."""
        pending = self._pending.pop(uid, None)
        if not pending:
            return
        path = self._path(uid)
        try:
            before, after = await asyncio.to_thread(_append, path, pending)
        except FileNotFoundError as gone:
            raise RefusedInside(refused(ErrorCode.NOT_FOUND)) from gone
        except OSError as full:
            raise RefusedInside(refused(ErrorCode.STORAGE_FULL)) from full
        if before < HEAD_BYTES <= after:
            await self._look(uid)

    async def _look(self, uid: str) -> None:
        session = await self.find(uid)
        try:
            if session is not None:
                session.sniffed()
        except Refused as wrong:
            await self.delete(uid)
            raise RefusedInside(wrong) from wrong

    async def finalize(self, uid: str) -> None:
        """Nothing to seal: the file is whole."""

    async def read(self, uid: str) -> bytes | None:
        """Not offered: an upload is never held in memory."""
        raise NotImplementedError

    async def delete(self, uid: str) -> None:
        """Throw an upload away."""
        self._pending.pop(uid, None)
        for path in self._files(uid):
            path.unlink(missing_ok=True)

    async def read_info(self, uid: str) -> dict[str, Any] | None:
        """What was noted, with the length on the disk as the truth about the offset."""
        info, own = _noted(self._info_path(uid)), _noted(self._own_path(uid))
        if info is None or own is None:
            return None
        info["metadata"] = {"filename": own["filename"], "filetype": own["kind"]}
        info["offset"] = info["size"] if "settled" in own else await self.size(uid)
        return info

    async def write_info(self, uid: str, data: dict[str, Any]) -> None:
        """Note what the tus server knows."""
        _note(self._info_path(uid), data)

    async def list_uids(self) -> list[str]:
        """The ids of all uploads."""
        return [path.stem for path in self._folder.glob("*.session")]

    def location(self, uid: str) -> str:
        """The id itself: the path is nobody's business."""
        return uid

    @asynccontextmanager
    async def lock(  # type: ignore[override]  # the library declares it without its decorator
        self, uid: str
    ) -> AsyncIterator[None]:
        """One writer at a time. Raises TimeoutError while another one goes on."""
        lock = self._locks.setdefault(uid, asyncio.Lock())
        async with asyncio.timeout(_TURN_S):
            await lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _append(path: Path, data: bytearray) -> tuple[int, int]:
    # Never creates: what was deleted meanwhile stays gone.
    with path.open("r+b") as file:
        before = file.seek(0, 2)
        file.write(data)
        return before, before + len(data)


def _note(path: Path, data: dict[str, Any]) -> None:
    staged = path.with_name(f"{path.name}.new")
    staged.write_text(json.dumps(data, default=str))
    staged.replace(path)


def _noted(path: Path) -> dict[str, Any] | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return data
