"""What every media store promises, on a folder and on a real S3 server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from runtime.media_store import InvalidKey, MediaMissing, MediaStore
from runtime.media_store_local import LocalMediaStore

pytestmark = pytest.mark.xdist_group("s3")
PATTERN = bytes(range(251)) * 4178
"""About a megabyte that does not repeat at any power of two."""


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("megabytes", [0, 1, 8, 21])
async def test_streamed_bytes_come_back_with_their_hash(store: MediaStore, megabytes: int) -> None:
    data = PATTERN * megabytes
    sizes = [0, 1, 70_000, 3_000_001, len(data)]
    parts = [data[a:b] for a, b in pairwise(sizes)]
    stored = await store.put_stream("jobs/a/video.mp4", pieces(b"", *parts))
    expected = hashlib.sha256(data).hexdigest()
    assert (stored.key, stored.sha256, stored.size_bytes) == (
        "jobs/a/video.mp4",
        expected,
        len(data),
    )
    assert await store.read_bytes("jobs/a/video.mp4") == data
    found = await store.stat("jobs/a/video.mp4")
    assert found is not None
    assert found.size_bytes == len(data)
    assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_file_and_bytes_are_stored_alike(store: MediaStore, tmp_path: Path) -> None:
    path = tmp_path / "in.bin"
    path.write_bytes(PATTERN)
    from_file = await store.put_file("assets/a/original.png", path)
    from_bytes = await store.put_bytes("assets/b/original.png", PATTERN)
    assert from_file.sha256 == from_bytes.sha256 == hashlib.sha256(PATTERN).hexdigest()
    assert await store.read_bytes("assets/a/original.png") == PATTERN
    assert (await store.put_bytes("assets/c/empty", b"")).size_bytes == 0
    assert await store.read_bytes("assets/c/empty") == b""


@pytest.mark.parametrize(
    ("start", "length"), [(0, 10), (3, 4), (999_000, None), (5, 0), (0, None), (2_000_000, None)]
)
async def test_a_part_can_be_read(store: MediaStore, start: int, length: int | None) -> None:
    await store.put_bytes("jobs/a/x", PATTERN)
    expected = PATTERN[start:] if length is None else PATTERN[start : start + length]
    assert await collected(store.stream("jobs/a/x", start, length)) == expected


@pytest.mark.parametrize("megabytes", [1, 20])
async def test_a_stream_that_breaks_off_leaves_nothing(store: MediaStore, megabytes: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(megabytes):
            yield PATTERN
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        await store.put_stream("jobs/a/x", broken())
    assert await store.stat("jobs/a/x") is None
    assert [k async for k in store.keys("jobs")] == []


async def test_a_cancelled_stream_leaves_nothing_and_ends(store: MediaStore) -> None:
    given = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield PATTERN
        given.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(store.put_stream("jobs/a/x", endless()))
    await given.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(putting, 20)
    assert await store.stat("jobs/a/x") is None


async def test_a_replacement_is_seen_whole_or_not_at_all(store: MediaStore) -> None:
    versions = [bytes([n]) * 300_000 for n in range(6)]
    await store.put_bytes("jobs/a/x", versions[0])
    seen: list[bytes] = []

    async def read() -> None:
        for _ in range(12):
            seen.append(await store.read_bytes("jobs/a/x"))

    await asyncio.gather(read(), *(store.put_bytes("jobs/a/x", v) for v in versions))
    assert set(seen) <= set(versions)
    assert await store.read_bytes("jobs/a/x") in versions


async def test_a_store_can_be_copied_into_itself_many_times_at_once(store: MediaStore) -> None:
    await store.put_bytes("jobs/a/0", PATTERN * 2)
    copies = [store.put_stream(f"jobs/a/{n}", store.stream("jobs/a/0")) for n in range(1, 13)]
    stored = await asyncio.wait_for(asyncio.gather(*copies), 60)
    assert len({one.sha256 for one in stored}) == 1


async def test_a_path_has_the_bytes_and_the_extension(store: MediaStore) -> None:
    await store.put_bytes("jobs/a/video.mp4", PATTERN)
    async with store.local_path("jobs/a/video.mp4") as path:
        assert path.read_bytes() == PATTERN
        assert path.suffix == ".mp4"
    await store.put_bytes("jobs/a/video.mp4", b"another version")
    async with store.local_path("jobs/a/video.mp4") as path:
        assert path.read_bytes() == b"another version"


async def test_what_is_absent_is_said_to_be(store: MediaStore) -> None:
    await store.put_bytes("jobs/there", b"x")
    for key in ("jobs/none", "jobs/there/below"):
        with pytest.raises(MediaMissing):
            await store.read_bytes(key)
        with pytest.raises(MediaMissing):
            await collected(store.stream(key))
        with pytest.raises(MediaMissing):
            async with store.local_path(key):
                pass
        assert await store.stat(key) is None
    await store.delete("jobs/none")
    await store.delete("jobs/there")
    assert await store.stat("jobs/there") is None


async def test_keys_lists_what_lies_below_a_prefix(store: MediaStore) -> None:
    for key in ("jobs/a/1", "jobs/a/b/2", "jobs/ab/3"):
        await store.put_bytes(key, b"x")
    assert [k async for k in store.keys("jobs/a")] == ["jobs/a/1", "jobs/a/b/2"]
    assert [k async for k in store.keys("jobs/zzz")] == []


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "jobs/../../x", "jobs//x", "", "a" * 500])
async def test_a_key_that_could_leave_the_store_is_refused(store: MediaStore, key: str) -> None:
    for refused in (store.put_bytes(key, b"x"), store.stat(key), store.delete(key)):
        with pytest.raises(InvalidKey):
            await refused
    with pytest.raises(InvalidKey):
        await store.put_stream(key, pieces(b"x"))


async def test_preparing_twice_is_harmless(store: MediaStore) -> None:
    await store.put_bytes("jobs/a", b"x")
    await store.prepare()
    await store.prepare()
    assert await store.read_bytes("jobs/a") == b"x"
    if isinstance(store, LocalMediaStore):
        assert (await store.free_bytes() or 0) > 0
