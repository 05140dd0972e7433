"""The HTTP server under hostile and unusual requests, on raw sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from fastapi import FastAPI, Request

from runtime.http_server import MAX_HEAD_BYTES, listen, serve_http

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected() -> AsyncIterator[Wire]:
    """A connection to a server that answers a POST with the length of its body."""
    app = FastAPI()

    @app.post("/")
    async def _length(request: Request) -> int:
        return len(await request.body())

    stopping, sock = asyncio.Event(), listen("127.0.0.1", 0)
    serving = asyncio.create_task(serve_http(app, sock, stopping))
    wire = await asyncio.open_connection(*sock.getsockname())
    try:
        yield wire
    finally:
        wire[1].close()
        stopping.set()
        await asyncio.wait_for(serving, 10)


async def answered(wire: Wire, *parts: bytes) -> bytes:
    """Send the parts one by one; the status line and body of the one answer."""
    for part in parts:
        wire[1].write(part)
        await wire[1].drain()
    head = await asyncio.wait_for(wire[0].readuntil(b"\r\n\r\n"), 10)
    length = next(
        int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"content-length")
    )
    return head.splitlines()[0] + b" | " + await wire[0].readexactly(length)


def head(length: int, padding: int = 0) -> bytes:
    return (
        f"POST / HTTP/1.1\r\nHost: a\r\nX-Padding: {'x' * padding}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("endless", [b"x" * 1024, b"X-One: 1\r\n" * 100], ids=["one", "many"])
async def test_connection_whose_request_head_has_no_end_is_closed(endless: bytes) -> None:
    async with connected() as wire:
        wire[1].write(b"POST / HTTP/1.1\r\nHost: a\r\nX-Padding: ")
        said = asyncio.create_task(wire[0].read())
        with suppress(ConnectionError):
            for _ in range(2 * MAX_HEAD_BYTES // len(endless)):
                wire[1].write(endless)
                await wire[1].drain()
        # What the kernel throws away with a connection closed early may be the answer itself.
        with suppress(ConnectionError):
            assert (await asyncio.wait_for(said, 10)).startswith(b"HTTP/1.1 400 ")
        assert said.done()


async def test_bodies_larger_than_a_head_may_be_come_through_on_one_connection() -> None:
    async with connected() as wire:
        for length in (3 * MAX_HEAD_BYTES, 0, 5 * MAX_HEAD_BYTES):
            said = await answered(wire, head(length) + b"b" * length)
            assert said == f"HTTP/1.1 200 OK | {length}".encode()


async def test_many_requests_in_a_row_do_not_add_up_to_one_head() -> None:
    async with connected() as wire:
        padding = MAX_HEAD_BYTES // 4
        for _ in range(12):
            said = await answered(wire, head(1, padding)[:100], head(1, padding)[100:], b"b")
            assert said == b"HTTP/1.1 200 OK | 1"


async def test_every_answer_says_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def date(wire: Wire) -> bytes:
        wire[1].write(head(0))
        said = await asyncio.wait_for(wire[0].readuntil(b"\r\n\r\n"), 10)
        await wire[0].readexactly(1)
        (line,) = (line for line in said.splitlines() if line.startswith(b"date:"))
        return line

    async with connected() as wire:
        monkeypatch.setattr("time.time", lambda: 1_800_000_000.5)
        assert await date(wire) == b"date: Fri, 15 Jan 2027 08:00:00 GMT"
        monkeypatch.setattr("time.time", lambda: 1_800_000_001.5)
        assert await date(wire) == b"date: Fri, 15 Jan 2027 08:00:01 GMT"
