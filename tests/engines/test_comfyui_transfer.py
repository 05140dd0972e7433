"""Uploads and downloads: names, ranges, refusals, memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from engines.comfyui import (
    ByteRange,
    ComfyClient,
    EngineUnreachable,
    FileRef,
    OutputMissing,
    ProtocolError,
    RangeRefused,
    UploadRefused,
)
from tests.engines.fake_engine import FakeEngine

MIB = 1024 * 1024
KEPT = JSONResponse({"name": "a (1).png", "subfolder": "animatrix", "type": "input"})
CLIP = FileRef("clip.mp4", "video")


async def test_upload_uses_the_answered_name(
    engine: FakeEngine, client: ComfyClient, tmp_path: Path
) -> None:
    engine.on("POST", "/upload/image", KEPT)
    file = tmp_path / "a.png"
    file.write_bytes(b"PNG!")
    kept = await client.upload(file, name="a.png", subfolder="animatrix", overwrite=True)
    assert kept.reference == "animatrix/a (1).png"
    body = engine.first("/upload/image").body
    assert b'name="image"; filename="a.png"' in body
    assert b'name="subfolder"\r\n\r\nanimatrix\r\n' in body
    assert b'name="overwrite"\r\n\r\ntrue\r\n' in body
    assert b'name="type"\r\n\r\ninput\r\n' in body
    assert b"\r\n\r\nPNG!\r\n--" in body


async def test_names_are_not_percent_encoded(
    engine: FakeEngine, client: ComfyClient, tmp_path: Path
) -> None:
    engine.on("POST", "/upload/image", KEPT)
    file = tmp_path / "x"
    file.write_bytes(b"1")
    await client.upload(file, name="Größe 1%.png")
    assert 'filename="Größe 1%.png"'.encode() in engine.first("/upload/image").body


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a\\b", 'a"b', "a\r\nX: y", "a\x00"])
async def test_names_that_could_leave_the_folder_or_the_form_are_not_sent(
    engine: FakeEngine, client: ComfyClient, tmp_path: Path, bad: str
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"1")
    with pytest.raises(ValueError, match="upload"):
        await client.upload(file, name=bad)
    if bad and bad != "a/b":
        with pytest.raises(ValueError, match="upload"):
            await client.upload(file, name="ok", subfolder=bad)
    assert engine.seen == []


async def test_upload_streams_with_constant_memory(
    engine: FakeEngine, client: ComfyClient, tmp_path: Path
) -> None:
    engine.on("POST", "/upload/image", KEPT)
    file = tmp_path / "big.mp4"
    with file.open("wb") as out:
        out.truncate(96 * MIB)
    tracemalloc.start()
    try:
        await client.upload(file, name="big.mp4")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    seen = engine.first("/upload/image")
    assert 96 * MIB < seen.size_bytes < 96 * MIB + 2048
    assert int(seen.headers["content-length"]) == seen.size_bytes
    assert peak_bytes < 12 * MIB


async def test_upload_takes_an_async_source_of_unknown_size(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.on("POST", "/upload/image", KEPT)

    async def source() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abc"

    await client.upload(source(), name="a.bin")
    seen = engine.first("/upload/image")
    assert seen.headers["transfer-encoding"] == "chunked"
    assert b"abcabcabc\r\n--" in seen.body


async def test_an_upload_over_the_limit_tells_the_limit(
    engine: FakeEngine, client: ComfyClient, tmp_path: Path
) -> None:
    sentence = "Maximum request body size 104857600 exceeded."
    engine.on("POST", "/upload/image", PlainTextResponse(sentence, 413))
    file = tmp_path / "x"
    file.write_bytes(b"1")
    with pytest.raises(UploadRefused) as refused:
        await client.upload(file, name="x.mp4")
    assert (refused.value.status, refused.value.limit_bytes) == (413, 104857600)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (PlainTextResponse("", 400), UploadRefused),
        (PlainTextResponse("busy", 503), EngineUnreachable),
        (PlainTextResponse("later", 429), EngineUnreachable),
        (PlainTextResponse("no such", 404), ProtocolError),
        (JSONResponse({"subfolder": ""}), ProtocolError),
    ],
)
async def test_upload_failures_are_told_apart(
    engine: FakeEngine,
    client: ComfyClient,
    tmp_path: Path,
    answer: Response,
    error: type[Exception],
) -> None:
    engine.on("POST", "/upload/image", answer)
    file = tmp_path / "x"
    file.write_bytes(b"1")
    with pytest.raises(error):
        await client.upload(file, name="x.mp4")
    assert engine.paths() == ["/upload/image"]


async def test_view_asks_for_the_file_and_the_range(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.on("GET", "/view", Response(b"cde", 206, {"content-range": "bytes 2-4/9"}))
    async with client.view(CLIP, ByteRange(2, 4)) as view:
        got = [chunk async for chunk in view.chunks()]
        assert view.partial
        assert view.size_bytes == 3
    seen = engine.first("/view")
    assert b"".join(got) == b"cde"
    assert seen.headers["range"] == "bytes=2-4"
    assert seen.query == {"filename": "clip.mp4", "subfolder": "video", "type": "output"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (PlainTextResponse("", 404), OutputMissing),
        (PlainTextResponse("", 416, {"content-range": "bytes */9"}), RangeRefused),
        (PlainTextResponse("", 400), ProtocolError),
        (PlainTextResponse("", 302, {"location": "http://elsewhere/"}), ProtocolError),
        (PlainTextResponse("", 500), ProtocolError),
        (PlainTextResponse("", 503), EngineUnreachable),
    ],
)
async def test_view_failures_are_told_apart(
    engine: FakeEngine, client: ComfyClient, answer: Response, error: type[Exception]
) -> None:
    engine.on("GET", "/view", answer)
    with pytest.raises(error):
        async with client.view(CLIP):
            pass


class Breaking:
    """Answers /view with 1 MiB of the file per connection, then breaks off."""

    def __init__(self, content: bytes, etags: list[str]) -> None:
        self.content = content
        self.etags = etags
        self.starts: list[int] = []

    async def __call__(self, request: Request) -> Response:
        asked = request.headers.get("range", "bytes=0-")
        first = int(asked.removeprefix("bytes=").rstrip("-"))
        etag = self.etags[min(len(self.starts), len(self.etags) - 1)]
        self.starts.append(first)
        whole = bool(first) and request.headers.get("if-range") != etag
        rest = self.content if whole else self.content[first:]

        async def part() -> AsyncIterator[bytes]:
            yield rest[:MIB]
            if len(rest) > MIB:
                raise ConnectionError("the engine dies here")

        headers = {"content-length": str(len(rest)), "etag": etag}
        return StreamingResponse(part(), 200 if whole or not first else 206, headers)


async def test_a_broken_download_goes_on_where_it_broke(
    engine: FakeEngine, client: ComfyClient
) -> None:
    content = bytes(range(256)) * 4 * 1024 * 3
    engine.on("GET", "/view", serving := Breaking(content, ['"v1"']))
    got = bytearray()

    async def sink(chunk: bytes) -> None:
        got.extend(chunk)

    downloaded = await client.download_to(CLIP, sink)
    assert bytes(got) == content
    assert downloaded.size_bytes == len(content)
    assert serving.starts == sorted(serving.starts)
    assert len(serving.starts) > 1


async def test_two_versions_of_a_file_are_never_mixed(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.on("GET", "/view", Breaking(b"x" * 2 * MIB, ['"v1"', '"v2"']))

    async def sink(chunk: bytes) -> None:
        pass

    with pytest.raises(ProtocolError, match="changed"):
        await client.download_to(CLIP, sink)


async def test_what_the_sink_raises_is_not_retried(engine: FakeEngine, client: ComfyClient) -> None:
    engine.on("GET", "/view", Response(b"x" * 100))

    async def full(chunk: bytes) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        await client.download_to(CLIP, full)
    assert engine.paths() == ["/view"]


async def test_a_download_streams_with_constant_memory(
    engine: FakeEngine, client: ComfyClient
) -> None:
    block = b"v" * MIB

    async def long(request: Request) -> Response:
        async def blocks() -> AsyncIterator[bytes]:
            for _ in range(96):
                yield block

        return StreamingResponse(blocks())

    engine.on("GET", "/view", long)

    async def sink(chunk: bytes) -> None:
        pass

    tracemalloc.start()
    try:
        downloaded = await client.download_to(CLIP, sink)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert downloaded.size_bytes == 96 * MIB
    assert peak_bytes < 16 * MIB
