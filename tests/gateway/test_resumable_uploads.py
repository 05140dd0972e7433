"""Uploads that are interrupted and go on: the tus protocol, its limits and its refusals."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.gateway.upload_sessions import UploadSessions
from tests.support import hostile_media
from tests.support.gateway import StartGateway, World
from tests.support.media import photo
from tests.support.waiting import eventually

TUS = {"Tus-Resumable": "1.0.0"}
PATH = "/api/assets/resumable"
MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"


def metadata(**entries: str) -> str:
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in entries.items())


async def create(
    world: World, size_bytes: int, kind: str = "image", name: str = "hero.png", **headers: str
) -> httpx.Response:
    described = metadata(filename=name, filetype="x", kind=kind)
    given = {**TUS, "Upload-Length": str(size_bytes), "Upload-Metadata": described, **headers}
    return await world.http.post(PATH, headers=given)


async def patch(
    world: World, url: str, data: bytes | AsyncIterator[bytes], offset: int
) -> httpx.Response:
    headers = {
        **TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    if not isinstance(data, bytes):
        headers["Content-Length"] = "300000000"
    return await world.http.patch(url, content=data, headers=headers)


async def offset_of(world: World, url: str) -> int:
    answer = await world.http.head(url, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def sessions(world: World) -> list[Path]:
    return list((world.state_dir / "upload-sessions").iterdir())


@pytest.fixture
def png(tmp_path: Path) -> bytes:
    return photo(tmp_path / "photo.png").read_bytes()


async def test_upload_in_pieces_becomes_an_asset_with_the_uploads_id(
    world: World, png: bytes
) -> None:
    created = await create(world, len(png), name="../../évil name.png")
    assert created.status_code == 201
    url = created.headers["location"]
    half = len(png) // 2
    assert (await patch(world, url, png[:half], 0)).headers["upload-offset"] == str(half)
    assert await offset_of(world, url) == half
    assert (await patch(world, url, png[half:], half)).status_code == 204

    asset = (await world.http.get(f"/api/assets/{url.rsplit('/', 1)[1]}")).json()
    assert asset["status"] == "checking"
    assert asset["sha256"] == hashlib.sha256(png).hexdigest()
    assert asset["original_filename"] == "évil name.png"
    assert (await world.http.get(asset["storage_url"])).content == png
    assert sorted(p.suffix for p in sessions(world)) == [".json", ".session"]


async def test_location_names_no_host_however_the_request_was_addressed(world: World) -> None:
    created = await create(world, 10, **{"X-Forwarded-Host": "evil.example"})
    assert created.headers["location"].startswith(f"{PATH}/")


async def test_broken_off_piece_is_kept_and_the_upload_goes_on_from_there(world: World) -> None:
    data = MP4_HEAD + os.urandom(3_000_000)
    url = (await create(world, len(data), "video", "clip.mp4")).headers["location"]
    _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        f"PATCH {url} HTTP/1.1\r\nHost: 127.0.0.1:{world.port}\r\nTus-Resumable: 1.0.0\r\n"
        "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
    )
    writer.write(data[:2_000_000])
    await writer.drain()
    await eventually(lambda: any(p.stat().st_size > 0 for p in sessions(world) if not p.suffix))
    writer.close()

    async def arrived() -> bool:
        return await offset_of(world, url) == 2_000_000

    await eventually(arrived)
    assert (await patch(world, url, data[2_000_000:], 2_000_000)).status_code == 204
    asset = (await world.http.get(f"/api/assets/{url.rsplit('/', 1)[1]}")).json()
    assert asset["sha256"] == hashlib.sha256(data).hexdigest()


async def test_upload_goes_on_after_the_gateway_was_started_anew(
    gateway: StartGateway, png: bytes
) -> None:
    async with gateway() as world:
        url = (await create(world, len(png))).headers["location"]
        await patch(world, url, png[:100], 0)
        # A killed process noted nothing of what it wrote last: the length on the disk counts.
        with next(p for p in sessions(world) if not p.suffix).open("ab") as file:
            file.write(png[100:150])
    async with gateway() as world:
        assert await offset_of(world, url) == 150
        assert (await patch(world, url, png[150:], 150)).status_code == 204
        asset = (await world.http.get(f"/api/assets/{url.rsplit('/', 1)[1]}")).json()
        assert asset["sha256"] == hashlib.sha256(png).hexdigest()


async def test_lost_answer_to_the_last_byte_is_made_good_by_the_next_question(
    world: World, png: bytes
) -> None:
    url = (await create(world, len(png))).headers["location"]
    await patch(world, url, png[:-10], 0)
    with next(p for p in sessions(world) if not p.suffix).open("ab") as file:
        file.write(png[-10:])
    assert await offset_of(world, url) == len(png)
    assert await offset_of(world, url) == len(png)
    page = (await world.http.get("/api/assets")).json()["assets"]
    asset = (await world.http.get(f"/api/assets/{url.rsplit('/', 1)[1]}")).json()
    assert asset["sha256"] == hashlib.sha256(png).hexdigest()
    assert len(page) <= 1


@pytest.mark.parametrize(
    ("size_bytes", "kind", "code", "status"),
    [
        (2 * 1024 * 1024, "image", "file_too_large", 413),
        (0, "image", "file_empty", 422),
        (-1, "image", "body_invalid", 422),
        (100, "spreadsheet", "body_invalid", 422),
    ],
)
async def test_what_will_not_be_taken_is_refused_before_a_byte_is_sent(
    world: World, size_bytes: int, kind: str, code: str, status: int
) -> None:
    answer = await create(world, size_bytes, kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sessions(world) == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Upload-Concat": "partial"}, "body_invalid"),
        ({"Upload-Defer-Length": "1"}, "body_invalid"),
        ({"X-HTTP-Method-Override": "POST"}, "body_invalid"),
        ({"X-HTTP-Method-Override": "DELETE"}, "method_not_allowed"),
    ],
)
async def test_extensions_that_are_not_offered_are_refused(
    world: World, headers: dict[str, str], code: str
) -> None:
    answer = await create(world, 100, **headers)
    assert answer.json()["code"] == code
    assert sessions(world) == []


async def test_bytes_in_the_creating_request_are_refused(world: World) -> None:
    described = metadata(filename="a.png", filetype="x", kind="image")
    given = {**TUS, "Upload-Length": "4", "Upload-Metadata": described}
    answer = await world.http.post(PATH, headers=given, content=b"1234")
    assert answer.status_code == 422
    assert sessions(world) == []


@pytest.mark.parametrize(
    ("make", "filename", "kind", "code"),
    [
        (hostile_media.text_named, "notes.png", "image", "file_content_mismatch"),
        (hostile_media.elf_program, "hero.png", "image", "file_type_unsupported"),
        (photo, "photo.png", "video", "asset_wrong_kind"),
    ],
)
async def test_what_is_not_media_is_refused_and_nothing_stays(
    world: World, tmp_path: Path, make: object, filename: str, kind: str, code: str
) -> None:
    path = tmp_path / filename
    make(path)  # type: ignore[operator]
    data = path.read_bytes()
    url = (await create(world, len(data), kind, filename)).headers["location"]
    answer = await patch(world, url, data, 0)
    assert answer.json()["code"] == code
    assert sessions(world) == []
    assert (await world.http.head(url, headers=TUS)).status_code == 404


async def test_what_is_not_media_is_refused_long_before_its_end(world: World) -> None:
    url = (await create(world, 50_000_000, "video", "clip.mp4")).headers["location"]
    answer = await patch(world, url, bytes(2_000_000), 0)
    assert answer.status_code == 415
    assert sessions(world) == []


async def test_cancelled_upload_leaves_nothing(world: World, png: bytes) -> None:
    url = (await create(world, len(png))).headers["location"]
    await patch(world, url, png[:100], 0)
    assert (await world.http.delete(url, headers=TUS)).status_code == 204
    assert sessions(world) == []
    assert (await patch(world, url, png[100:], 100)).status_code == 404


async def test_wrong_offset_and_too_many_bytes_are_refused(world: World, png: bytes) -> None:
    url = (await create(world, len(png))).headers["location"]
    assert (await patch(world, url, png[10:], 10)).status_code == 409
    assert (await patch(world, url, png + b"more", 0)).status_code == 400


@pytest.mark.parametrize("upload_id", ["..%2f..%2fetc", "*", "0" * 36])
async def test_ids_that_are_none_are_not_found(world: World, upload_id: str) -> None:
    assert (await world.http.head(f"{PATH}/{upload_id}", headers=TUS)).status_code == 404


async def test_uploads_given_up_are_swept(world: World, png: bytes) -> None:
    url = (await create(world, len(png))).headers["location"]
    await patch(world, url, png[:100], 0)
    store = UploadSessions(world.state_dir / "upload-sessions")
    assert await store.reserved_bytes() == len(png) - 100
    assert await store.sweep(kept_s=3600) == 0
    for path in sessions(world):
        os.utime(path, (1, 1))
    assert await store.sweep(kept_s=3600) == 1
    assert sessions(world) == []


async def test_memory_stays_flat_while_300_mb_arrive_resumably(world: World) -> None:
    piece, count = bytes(1_000_000), 300
    url = (await create(world, 300_000_000, "video", "clip.mp4")).headers["location"]
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def body() -> AsyncIterator[bytes]:
        yield MP4_HEAD + piece[len(MP4_HEAD) :]
        for _ in range(count - 1):
            yield piece

    assert (await patch(world, url, body(), 0)).status_code == 204
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    assert grown_mb < 40
