"""The local cache of media: bounded, shared, and never taking a file from its reader."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runtime.media_cache import ABANDONED_AFTER_S, MediaCache


def of(data: bytes, calls: list[bytes] | None = None) -> Callable[[Path], Awaitable[None]]:
    async def fetch(path: Path) -> None:
        if calls is not None:
            calls.append(data)
        await asyncio.sleep(0.01)
        path.write_bytes(data)

    return fetch


def kept(root: Path) -> set[str]:
    return {path.name for path in (root / "files").iterdir()}


async def test_a_file_is_fetched_once_for_all_who_want_it_at_once(tmp_path: Path) -> None:
    cache, calls = MediaCache(tmp_path, 100), list[bytes]()

    async def use() -> bytes:
        async with cache.hold("a", "video.mp4", 4, of(b"data", calls)) as path:
            assert path.name.endswith("-video.mp4")
            return path.read_bytes()

    assert await asyncio.gather(*(use() for _ in range(8))) == [b"data"] * 8
    assert calls == [b"data"]
    assert list((tmp_path / "in-use").iterdir()) == []


async def test_least_recently_used_files_make_room(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 30)
    for name in ("a", "b", "c"):
        async with cache.hold(name, name, 10, of(b"0" * 10)):
            pass
        await asyncio.sleep(0.01)
    async with cache.hold("a", "a", 10, of(b"never")) as path:
        assert path.read_bytes() == b"0" * 10
    async with cache.hold("d", "d", 10, of(b"1" * 10)):
        pass
    assert kept(tmp_path) == {"a", "c", "d"}


async def test_evicted_file_stays_with_its_reader(tmp_path: Path) -> None:
    cache, other = MediaCache(tmp_path, 10), MediaCache(tmp_path, 10)
    async with cache.hold("a", "a", 10, of(b"0" * 10)) as path:
        async with other.hold("b", "b", 10, of(b"1" * 10)):
            assert kept(tmp_path) == {"b"}
        assert path.read_bytes() == b"0" * 10
    assert not path.exists()


async def test_file_larger_than_the_cache_is_served_and_not_kept(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 5)
    async with cache.hold("a", "a", 10, of(b"0" * 10)) as path:
        assert path.read_bytes() == b"0" * 10
    assert kept(tmp_path) == set()


async def test_failed_fetch_keeps_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 100)

    async def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        async with cache.hold("a", "a", 4, broken):
            pass
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    async with cache.hold("a", "a", 4, of(b"data")) as path:
        assert path.read_bytes() == b"data"


async def test_many_readers_of_many_files_never_miss_one(tmp_path: Path) -> None:
    caches = [MediaCache(tmp_path, 25) for _ in range(3)]

    async def use(n: int) -> None:
        data = bytes([n % 7]) * 10
        async with AsyncExitStack() as stack:
            path = await stack.enter_async_context(
                caches[n % 3].hold(str(n % 7), "x", 10, of(data))
            )
            await asyncio.sleep(0.005)
            assert path.read_bytes() == data

    await asyncio.gather(*(use(n) for n in range(120)))
    assert list((tmp_path / "in-use").iterdir()) == []


def test_what_a_dead_process_left_is_cleared(tmp_path: Path) -> None:
    MediaCache(tmp_path, 10)
    old, young = tmp_path / "in-use" / "old", tmp_path / "in-use" / "young"
    for path in (old, young):
        path.write_bytes(b"x")
    long_ago_s = time.time() - ABANDONED_AFTER_S - 60
    os.utime(old, (long_ago_s, long_ago_s))
    MediaCache(tmp_path, 10)
    assert not old.exists()
    assert young.exists()
