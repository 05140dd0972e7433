"""A bounded cache of whole files on this machine, in front of a distant media store.

Owns room and eviction. A reader gets a hard link of its own, so that eviction, by this process or
by another one on the same folder, never takes a file away from under it. Must not know where the
files come from.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from weakref import WeakValueDictionary

from runtime.ids import new_id

ABANDONED_AFTER_S = 24 * 3600.0
"""Links and half files that are older belong to a process that died."""

Fetch = Callable[[Path], Awaitable[None]]
"""Writes the whole file at the path, which does not exist yet, or raises."""


class MediaCache:
    """Files by name, the least recently used ones dropped when `max_bytes` are exceeded.

    A file that is larger than the whole cache is served and not kept.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Use `root`, made when absent, and clear what dead processes left there."""
        self._files, self._links, self._partial = (
            root.resolve() / name for name in ("files", "in-use", "partial")
        )
        self._max_bytes = max_bytes
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        for folder in (self._files, self._links, self._partial):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clear_abandoned(
            datetime.now(UTC) - timedelta(seconds=ABANDONED_AFTER_S), dry_run=False
        )

    @asynccontextmanager
    async def hold(
        self, name: str, shown_name: str, size_bytes: int, fetch: Fetch
    ) -> AsyncIterator[Path]:
        """A read-only path of the file for as long as the context lasts.

        `name` identifies the content; `shown_name` ends the path, so that its extension is right.
        What `fetch` raises passes through, and nothing is kept then.
        """
        entry, link = self._files / name, self._links / f"{new_id()}-{shown_name}"
        lock = self._locks.setdefault(name, asyncio.Lock())
        try:
            async with lock:
                if not await asyncio.to_thread(_link_if_there, entry, link):
                    await self._admit(entry, link, size_bytes, fetch)
            yield link
        finally:
            link.unlink(missing_ok=True)

    async def _admit(self, entry: Path, link: Path, size_bytes: int, fetch: Fetch) -> None:
        partial = self._partial / new_id()
        try:
            await asyncio.to_thread(self._evict_down_to, self._max_bytes - size_bytes)
            await fetch(partial)
            await asyncio.to_thread(_place, partial, link, entry, size_bytes <= self._max_bytes)
        finally:
            partial.unlink(missing_ok=True)

    def _evict_down_to(self, wanted_bytes: int) -> None:
        found = []
        for path in self._files.iterdir():
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            found.append((stat.st_mtime_ns, stat.st_size, path))
        total_bytes = sum(size for _, size, _ in found)
        for _, size_bytes, path in sorted(found):
            if total_bytes <= max(wanted_bytes, 0):
                return
            path.unlink(missing_ok=True)
            total_bytes -= size_bytes

    def clear_abandoned(self, before: datetime, *, dry_run: bool) -> list[tuple[str, int]]:
        """Remove links and half files of processes that died before a time; names and bytes."""
        found = []
        for folder in (self._links, self._partial):
            for path in folder.iterdir():
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                if stat.st_mtime < before.timestamp():
                    found.append((f"{folder.name}/{path.name}", stat.st_size))
                    if not dry_run:
                        path.unlink(missing_ok=True)
        return found


def _place(partial: Path, link: Path, entry: Path, kept: bool) -> None:
    partial.chmod(0o400)
    # The reader's link first: from here on nobody can take the file away.
    link.hardlink_to(partial)
    if kept:
        partial.replace(entry)


def _link_if_there(entry: Path, link: Path) -> bool:
    try:
        link.hardlink_to(entry)
    except FileNotFoundError:
        return False
    os.utime(link)
    return True
