"""What only a bucket has: signed addresses, certificates, broken connections, constant memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from minio.commonconfig import ENABLED, Filter
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

from runtime.media_store import MediaAway, MediaMissing, open_media_store
from runtime.media_store_s3 import PART_BYTES, S3MediaStore
from runtime.s3_client import open_client
from runtime.settings import SharedSettings
from tests.stores.s3_server import S3Server

pytestmark = pytest.mark.xdist_group("s3")
PATTERN = bytes(range(251)) * 4178


async def signed(store: S3MediaStore, expires_s: int) -> str:
    await store.put_bytes("jobs/a/video.mp4", PATTERN)
    url = await store.delivery_url(
        "jobs/a/video.mp4", expires_s=expires_s, filename='Ä "b".mp4', mime_type="video/mp4"
    )
    assert url is not None
    return url


async def test_signed_address_delivers_ranges_under_a_name_without_credentials(
    s3_server: S3Server, s3_store: S3MediaStore
) -> None:
    url = await signed(s3_store, 60)
    with s3_server.http() as http:
        whole = http.get(url)
        part = http.get(url, headers={"Range": "bytes=10-19"})
    assert whole.content == PATTERN
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"] == "inline; filename*=UTF-8''%C3%84%20%22b%22.mp4"
    assert (part.status_code, part.content) == (206, PATTERN[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(PATTERN)}"


async def test_signed_address_is_good_for_one_key_and_a_time(
    s3_server: S3Server, s3_store: S3MediaStore
) -> None:
    url = await signed(s3_store, 1)
    await s3_store.put_bytes("jobs/b/video.mp4", b"another's")
    await asyncio.sleep(2)
    fresh = await signed(s3_store, 60)
    with s3_server.http() as http:
        assert http.get(url).status_code == 403
        assert http.get(fresh.replace("/jobs/a/", "/jobs/b/")).status_code == 403
        assert http.get(fresh.partition("?")[0]).status_code == 403
        assert http.delete(fresh).status_code == 403


async def test_signed_address_names_the_public_endpoint(
    s3_server: S3Server, tmp_path: Path
) -> None:
    shared = s3_server.settings(tmp_path, s3_public_endpoint="https://media.example.org")
    url = await open_media_store(shared).delivery_url(
        "jobs/a", expires_s=5, filename="a", mime_type="video/mp4"
    )
    assert url is not None
    assert url.startswith("https://media.example.org/animatrix-")


async def test_server_with_an_unknown_certificate_gets_nothing(
    s3_server: S3Server, tmp_path: Path
) -> None:
    store = open_media_store(s3_server.settings(tmp_path, s3_ca_file=None))
    with pytest.raises(MediaAway, match="CERTIFICATE_VERIFY_FAILED"):
        await store.put_bytes("jobs/a", b"x")


async def test_wrong_keys_and_a_bucket_that_is_not_there_are_errors_not_absence(
    s3_server: S3Server, tmp_path: Path
) -> None:
    stranger = open_media_store(s3_server.settings(tmp_path, s3_secret_key="not the secret"))
    with pytest.raises(S3Error) as refused:
        await stranger.stat("jobs/a")
    assert "not the secret" not in repr(refused.value)
    unprepared = open_media_store(s3_server.settings(tmp_path))
    with pytest.raises(S3Error, match="NoSuchBucket"):
        await unprepared.read_bytes("jobs/a")


async def test_prefix_keeps_two_systems_in_one_bucket_apart(
    s3_server: S3Server, tmp_path: Path
) -> None:
    shared = s3_server.settings(tmp_path)
    one, other = (
        open_media_store(shared.model_copy(update={"media_url": f"{shared.media_url}/{name}"}))
        for name in ("team/one", "team/other")
    )
    await one.prepare()
    await one.put_bytes("jobs/a/x", b"one")
    await other.put_bytes("jobs/a/y", b"other")
    assert [k async for k in one.keys("jobs")] == ["jobs/a/x"]
    assert await other.read_bytes("jobs/a/y") == b"other"
    with pytest.raises(MediaMissing):
        await other.read_bytes("jobs/a/x")


async def test_rules_that_a_bucket_has_stay_as_they_are(
    s3_server: S3Server, tmp_path: Path
) -> None:
    shared = s3_server.settings(tmp_path)
    store, client = open_media_store(shared), open_client(shared, shared.s3_endpoint, connections=1)
    await store.prepare()
    assert shared.media_url is not None
    bucket = shared.media_url.removeprefix("s3://")
    rule = Rule(ENABLED, Filter(prefix="logs/"), rule_id="mine", expiration=Expiration(days=3))
    client.set_bucket_lifecycle(bucket, LifecycleConfig([rule]))
    await store.prepare()
    kept = client.get_bucket_lifecycle(bucket)
    assert kept is not None
    assert [r.rule_id for r in kept.rules] == ["mine"]


async def test_an_upload_that_broke_off_leaves_no_parts_behind(
    s3_server: S3Server, tmp_path: Path
) -> None:
    shared = s3_server.settings(tmp_path)
    store, client = open_media_store(shared), open_client(shared, shared.s3_endpoint, connections=1)
    await store.prepare()

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(3 * PART_BYTES // len(PATTERN)):
            yield PATTERN
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await store.put_stream("jobs/a/x", broken())
    assert shared.media_url is not None
    bucket = shared.media_url.removeprefix("s3://")
    assert client._list_multipart_uploads(bucket, prefix="jobs/a/x").uploads == []


@contextlib.asynccontextmanager
async def cutting_proxy(target: str, cut_after_bytes: int, cuts: int) -> AsyncIterator[str]:
    """A TCP proxy that resets the first `cuts` connections after so many bytes of answers."""
    host, _, port = target.partition("//")[2].partition(":")
    left = [cuts]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))

        async def answers() -> None:
            passed = 0
            while data := await upstream_reader.read(65536):
                passed += len(data)
                if left[0] and passed > cut_after_bytes:
                    left[0] -= 1
                    writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()
            writer.close()

        async def requests() -> None:
            while data := await reader.read(65536):
                upstream_writer.write(data)
                await upstream_writer.drain()

        try:
            await asyncio.gather(answers(), requests())
        except ConnectionError:
            writer.transport.abort()
        finally:
            upstream_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_download_goes_on_where_the_connection_broke(
    s3_server: S3Server, s3_store: S3MediaStore, tmp_path: Path
) -> None:
    data = PATTERN * 6
    await s3_store.put_bytes("jobs/a/video.mp4", data)
    async with cutting_proxy(s3_server.endpoint, 2_500_000, cuts=2) as endpoint:
        shared = s3_store._shared.model_copy(update={"s3_endpoint": endpoint})
        store = open_media_store(shared)
        assert await store.read_bytes("jobs/a/video.mp4") == data
        part = b"".join([c async for c in store.stream("jobs/a/video.mp4", 1000, 5_000_000)])
    assert part == data[1000:5_001_000]


async def test_replaced_object_is_never_mixed_into_a_broken_download(
    s3_server: S3Server, s3_store: S3MediaStore
) -> None:
    await s3_store.put_bytes("jobs/a/video.mp4", PATTERN * 6)
    async with cutting_proxy(s3_server.endpoint, 2_500_000, cuts=1) as endpoint:
        store = open_media_store(s3_store._shared.model_copy(update={"s3_endpoint": endpoint}))
        reading = aiter(store.stream("jobs/a/video.mp4"))
        await anext(reading)
        await s3_store.put_bytes("jobs/a/video.mp4", PATTERN * 7)
        with pytest.raises(S3Error, match="PreconditionFailed"):
            async for _ in reading:
                pass


async def test_abandoned_readers_give_their_connections_back(s3_store: S3MediaStore) -> None:
    await s3_store.put_bytes("jobs/a/video.mp4", PATTERN * 4)
    for _ in range(60):
        reading = s3_store.stream("jobs/a/video.mp4")
        await anext(aiter(reading))
        await reading.aclose()  # type: ignore[attr-defined]
    assert await asyncio.wait_for(s3_store.read_bytes("jobs/a/video.mp4"), 10)


MEMORY_PROBE = """
import asyncio, resource, sys
from pathlib import Path
from runtime.media_store import open_media_store
from runtime.settings import SharedSettings

async def main():
    store = open_media_store(SharedSettings())
    await store.put_bytes("jobs/warm", b"x")
    async def chunks():
        for n in range(100):
            yield bytes([n]) * 1_048_576
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stored = await store.put_stream("jobs/a/big.mp4", chunks())
    async for _ in store.stream("jobs/a/big.mp4"):
        pass
    async with store.local_path("jobs/a/big.mp4") as path:
        assert path.stat().st_size == stored.size_bytes
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(stored.sha256, grown // 1024)

asyncio.run(main())
"""


async def test_memory_stays_bounded_while_a_large_file_passes(
    s3_server: S3Server, tmp_path: Path
) -> None:
    shared = s3_server.settings(tmp_path)
    await open_media_store(shared).prepare()
    environment = {
        **os.environ,
        "ANIMATRIX_MEDIA_URL": str(shared.media_url),
        "ANIMATRIX_S3_ENDPOINT": s3_server.endpoint,
        "ANIMATRIX_S3_ACCESS_KEY": s3_server.access_key,
        "ANIMATRIX_S3_SECRET_KEY": s3_server.secret_key,
        "ANIMATRIX_S3_CA_FILE": str(s3_server.ca_file or ""),
        "ANIMATRIX_MEDIA_CACHE_DIR": str(tmp_path / "cache"),
    }
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", MEMORY_PROBE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    sha256, grown_mb = ran.stdout.split()
    expected = hashlib.sha256(b"".join(bytes([n]) * 1_048_576 for n in range(100))).hexdigest()
    assert sha256 == expected
    assert int(grown_mb) < 80


async def test_loop_stays_free_while_media_pass(s3_store: S3MediaStore) -> None:
    longest_s, stop = 0.0, asyncio.Event()

    async def tick() -> None:
        nonlocal longest_s
        while not stop.is_set():
            began_s = time.thread_time()
            await asyncio.sleep(0)
            longest_s = max(longest_s, time.thread_time() - began_s)
            await asyncio.sleep(0.005)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(s3_store.put_bytes(f"jobs/a/{n}", PATTERN * 8) for n in range(3)))
    await asyncio.gather(*(s3_store.read_bytes(f"jobs/a/{n}") for n in range(3)))
    stop.set()
    await ticking
    assert longest_s < 0.1


def test_settings_refuse_what_names_no_bucket_and_hide_secrets(s3_server: S3Server) -> None:
    for wrong in (
        {"media_url": "https://bucket"},
        {"media_url": "s3://"},
        {"media_url": "s3://Bucket"},
        {"s3_endpoint": "minio:9000"},
        {"s3_endpoint": "https://user:pw@minio"},
        {"s3_endpoint": "https://minio/path"},
        {"s3_access_key": "only one"},
    ):
        with pytest.raises(ValueError):
            SharedSettings(**wrong)  # type: ignore[arg-type]
    shared = s3_server.settings(Path("var"))
    assert s3_server.secret_key not in repr(shared)
    assert s3_server.secret_key not in shared.model_dump_json()
    assert SharedSettings(media_url="", s3_access_key="", s3_secret_key="").media_url is None
