"""Uploads: what is accepted, what is refused and how, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import ErrorCode, error_info
from contracts.events import AssetRejected
from runtime.stamp import stamp
from tests.support import hostile_media
from tests.support.gateway import IMAGE_FACTS, World
from tests.support.media import photo
from tests.support.waiting import eventually

MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
BOUNDARY = "frontier"


def form_head(filename: str = "clip.mp4", name: str = "file") -> bytes:
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; '
        f'filename="{filename}"\r\nContent-Type: video/mp4\r\n\r\n'
    ).encode()


FORM_END = f"\r\n--{BOUNDARY}--\r\n".encode()
FORM_HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def leftovers(world: World) -> list[Path]:
    return [
        *(world.state_dir / "uploads").iterdir(),
        *(p for p in (world.state_dir.parent / "media").rglob("*") if p.is_file()),
    ]


@pytest.fixture
def png(tmp_path: Path) -> bytes:
    return photo(tmp_path / "photo.png").read_bytes()


async def test_upload_is_stored_whole_under_its_hash_and_is_checking(
    world: World, png: bytes
) -> None:
    answer = await world.upload("image", png, "../../évil name.png")
    body = answer.json()
    assert answer.status_code == 201
    assert body["status"] == "checking"
    assert body["sha256"] == hashlib.sha256(png).hexdigest()
    assert body["original_filename"] == "évil name.png"
    assert body["size_bytes"] == len(png)
    assert body["mime_type"] == "image/png"
    assert answer.headers["location"] == f"/api/assets/{body['asset_id']}"
    content = await world.http.get(body["storage_url"])
    assert content.content == png
    assert content.headers["content-disposition"].startswith("attachment")
    assert content.headers["x-content-type-options"] == "nosniff"


async def test_asset_is_known_right_after_its_upload_and_turns_ready(
    world: World, png: bytes
) -> None:
    asset_id = await world.ready_asset("image", png, "hero.png", IMAGE_FACTS)

    found = (await world.http.get(f"/api/assets/{asset_id}")).json()
    assert found["status"] == "ready"
    assert (found["width"], found["height"]) == (768, 1024)
    thumbnail = await world.http.get(found["thumbnail_url"])
    assert thumbnail.headers["content-type"] == "image/jpeg"

    async def listed() -> bool:
        page = (await world.http.get("/api/assets?kind=image")).json()
        return [a["status"] for a in page["assets"]] == ["ready"]

    await eventually(listed)


async def test_rejected_asset_says_why_without_the_inner_cause(world: World, png: bytes) -> None:
    asset_id = (await world.upload("image", png, "hero.png")).json()["asset_id"]
    error = error_info(ErrorCode.FILE_UNDECODABLE, detail="libpng: secret path")
    await world.say(AssetRejected(**stamp(None), asset_id=asset_id, error=error))
    answer = await world.http.get(f"/api/assets/{asset_id}")
    assert answer.json()["status"] == "rejected"
    assert answer.json()["error"]["code"] == "file_undecodable"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("make", "filename", "kind", "status", "code"),
    [
        (hostile_media.text_named, "notes.png", "image", 415, "file_content_mismatch"),
        (hostile_media.hls_playlist, "clip.mp4", "video", 415, "file_content_mismatch"),
        (hostile_media.elf_program, "hero.png", "image", 415, "file_type_unsupported"),
        (hostile_media.shell_script, "run.sh", "video", 415, "file_type_unsupported"),
        (hostile_media.png_and_pdf, "both.png", "image", 415, "file_content_mismatch"),
        (hostile_media.empty, "nothing.wav", "audio", 422, "file_empty"),
        (photo, "photo.png", "video", 422, "asset_wrong_kind"),
    ],
)
async def test_what_is_not_media_is_refused_at_once(
    world: World, tmp_path: Path, make: object, filename: str, kind: str, status: int, code: str
) -> None:
    path = tmp_path / filename
    make(path)  # type: ignore[operator]
    answer = await world.upload(kind, path.read_bytes(), filename)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["errors"][0]["field"] == "file"
    assert problem["remedy"]
    assert leftovers(world) == []


async def test_file_above_the_limit_is_refused_before_it_is_sent(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        f"POST /api/assets/image HTTP/1.1\r\nHost: 127.0.0.1:{world.port}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        "Content-Length: 536870912\r\n\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 413")
    assert b"file_too_large" in await asyncio.wait_for(reader.read(1000), 5)
    writer.close()
    assert leftovers(world) == []


@pytest.mark.parametrize("megabytes", [2, 40])
async def test_refusal_reaches_a_client_that_is_still_sending(world: World, megabytes: int) -> None:
    data = b"\x89PNG\r\n\x1a\n" + bytes(megabytes * 1024 * 1024)
    answer = await world.upload("image", data, "big.png")
    assert answer.status_code == 413
    assert answer.json()["code"] == "file_too_large"
    assert "1 MB" in answer.json()["detail"]


async def test_unannounced_size_is_refused_on_the_way(world: World) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield form_head("big.png")
        yield b"\x89PNG\r\n\x1a\n" + bytes(8 * 1024 * 1024)
        yield FORM_END

    answer = await world.http.post("/api/assets/image", content=body(), headers=FORM_HEADERS)
    assert answer.status_code == 413
    assert leftovers(world) == []


async def test_upload_without_its_end_is_incomplete(world: World) -> None:
    content = form_head() + MP4_HEAD + bytes(100_000)
    answer = await world.http.post("/api/assets/video", content=content, headers=FORM_HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (400, "upload_incomplete")
    assert leftovers(world) == []


async def test_broken_off_upload_leaves_nothing(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    head = form_head()
    writer.write(
        f"POST /api/assets/video HTTP/1.1\r\nHost: 127.0.0.1:{world.port}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        "Content-Length: 50000000\r\n\r\n".encode()
    )
    writer.write(head + MP4_HEAD + bytes(3_000_000))
    await writer.drain()
    await eventually(lambda: list((world.state_dir / "uploads").iterdir()))
    writer.close()
    await eventually(lambda: not leftovers(world))
    reader.feed_eof()
    assert (await world.http.get("/api/assets")).json()["assets"] == []


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"{}", {"Content-Type": "application/json"}, "file_missing"),
        (FORM_END.lstrip(), FORM_HEADERS, "file_missing"),
        (form_head(name="picture") + b"x" + FORM_END, FORM_HEADERS, "body_invalid"),
        (
            form_head() + MP4_HEAD + b"\r\n" + form_head() + b"x" + FORM_END,
            FORM_HEADERS,
            "body_invalid",
        ),
    ],
)
async def test_form_must_hold_exactly_one_field_named_file(
    world: World, content: bytes, headers: dict[str, str], code: str
) -> None:
    answer = await world.http.post("/api/assets/video", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert leftovers(world) == []


async def test_memory_stays_flat_while_300_mb_arrive(world: World) -> None:
    piece = bytes(1024 * 1024)

    async def body() -> AsyncIterator[bytes]:
        yield form_head()
        yield MP4_HEAD
        for _ in range(300):
            yield piece
        yield FORM_END

    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await world.http.post(
        "/api/assets/video", content=body(), headers=FORM_HEADERS, timeout=100
    )
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    assert answer.status_code == 201
    assert answer.json()["size_bytes"] == 300 * 1024 * 1024 + len(MP4_HEAD)
    assert grown_mb < 40
