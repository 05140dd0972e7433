"""The local media store: whole files or none, keys that cannot leave it."""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.media_store import InvalidKey, MediaAway, MediaMissing, open_media_store
from runtime.media_store_local import LocalMediaStore
from runtime.settings import SharedSettings


async def test_bytes_come_back_with_their_hash(media_store: LocalMediaStore) -> None:
    data = bytes(range(256)) * 9000
    stored = await media_store.put_bytes("jobs/a/video.mp4", data)
    assert (stored.sha256, stored.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert await media_store.read_bytes("jobs/a/video.mp4") == data


async def test_a_part_can_be_read(media_store: LocalMediaStore) -> None:
    await media_store.put_bytes("jobs/a/x", b"0123456789")
    assert b"".join([c async for c in media_store.stream("jobs/a/x", 3, 4)]) == b"3456"
    assert b"".join([c async for c in media_store.stream("jobs/a/x", 8)]) == b"89"


async def test_a_stream_that_breaks_off_leaves_nothing(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await media_store.put_stream("jobs/a/x", broken())
    assert await media_store.stat("jobs/a/x") is None
    assert [p for p in (tmp_path / "media").rglob("*") if p.is_file()] == []


async def test_a_reader_of_an_old_version_is_not_disturbed_by_a_replacement(
    media_store: LocalMediaStore,
) -> None:
    await media_store.put_bytes("jobs/a/x", b"old")
    reading = media_store.stream("jobs/a/x", 0)
    assert await anext(aiter(reading)) == b"old"
    await media_store.put_bytes("jobs/a/x", b"newer")
    assert await media_store.read_bytes("jobs/a/x") == b"newer"


async def test_many_writers_of_one_key_leave_one_whole_version(
    media_store: LocalMediaStore,
) -> None:
    versions = [bytes([n]) * 300_000 for n in range(8)]
    await asyncio.gather(*(media_store.put_bytes("jobs/a/x", v) for v in versions))
    assert await media_store.read_bytes("jobs/a/x") in versions


@pytest.mark.parametrize(
    "key",
    [
        "../x",
        "/etc/passwd",
        "jobs/../../x",
        "jobs//x",
        "",
        "jobs/.hidden",
        "jobs/a\x00b",
        "a" * 500,
    ],
)
async def test_a_key_that_could_leave_the_store_is_refused(
    media_store: LocalMediaStore, key: str
) -> None:
    with pytest.raises(InvalidKey):
        await media_store.put_bytes(key, b"x")


async def test_what_is_absent_is_said_to_be(media_store: LocalMediaStore) -> None:
    with pytest.raises(MediaMissing):
        await media_store.read_bytes("jobs/none")
    with pytest.raises(MediaMissing):
        async for _ in media_store.stream("jobs/none"):
            pass
    with pytest.raises(MediaMissing):
        async with media_store.local_path("jobs/none"):
            pass
    await media_store.delete("jobs/none")


async def test_keys_lists_what_lies_below_a_prefix(media_store: LocalMediaStore) -> None:
    for key in ("jobs/a/1", "jobs/a/b/2", "jobs/ab/3"):
        await media_store.put_bytes(key, b"x")
    assert [k async for k in media_store.keys("jobs/a")] == ["jobs/a/1", "jobs/a/b/2"]
    assert [k async for k in media_store.keys("jobs/zzz")] == []


async def test_a_media_store_that_is_away_is_not_an_empty_one(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    await media_store.put_bytes("jobs/a/x.json", b"here")
    away = tmp_path / "elsewhere"
    (tmp_path / "media").rename(away)
    for ask in (
        media_store.read_bytes("jobs/a/x.json"),
        media_store.stat("jobs/a/x.json"),
        anext(media_store.stream("jobs/a/x.json")),
        anext(media_store.keys("jobs")),
        media_store.put_bytes("jobs/a/y.json", b"new"),
    ):
        with pytest.raises(OSError):
            await ask
    assert not (tmp_path / "media").exists()
    away.rename(tmp_path / "media")
    assert await media_store.read_bytes("jobs/a/x.json") == b"here"
    assert await media_store.stat("jobs/a/y.json") is None


async def test_a_process_that_starts_while_the_store_is_away_makes_no_empty_one(
    tmp_path: Path,
) -> None:
    state, media, away = tmp_path / "state", tmp_path / "media", tmp_path / "elsewhere"
    state.mkdir()
    shared = SharedSettings(state_dir=state, media_dir=media)
    await open_media_store(shared).put_bytes("jobs/a/x", b"here")
    media.rename(away)
    media.mkdir()  # where it is mounted
    late = open_media_store(shared)
    for ask in (late.put_bytes("jobs/a/y", b"new"), late.read_bytes("jobs/a/x")):
        with pytest.raises(OSError):
            await ask
    with pytest.raises(MediaAway):
        await late.stat("jobs/a/x")
    assert list(media.iterdir()) == []
    media.rmdir()
    away.rename(media)
    assert await late.read_bytes("jobs/a/x") == b"here"


async def test_a_file_on_the_same_disk_is_not_copied_and_outlives_its_first_name(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"frames" * 1000)
    stored = await media_store.put_file("jobs/a/video.mp4", path)
    async with media_store.local_path(stored.key) as there:
        assert there.stat().st_ino == path.stat().st_ino
    path.unlink()
    data = await media_store.read_bytes(stored.key)
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (stored.sha256, stored.size_bytes)


async def test_a_file_of_another_disk_is_copied(
    media_store: LocalMediaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("runtime.media_store_local.os.link", elsewhere)
    path = tmp_path / "video.mp4"
    path.write_bytes(b"frames" * 1000)
    stored = await media_store.put_file("jobs/a/video.mp4", path)
    path.write_bytes(b"something else")
    data = await media_store.read_bytes(stored.key)
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (stored.sha256, stored.size_bytes)
