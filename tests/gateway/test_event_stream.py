"""The response behind every event stream: it ends with its messages, and with its reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from services.gateway import event_stream
from services.gateway.event_stream import EventStream


class Reader:
    """The other side: takes messages until it is told not to, and may go."""

    def __init__(self, at_most: int = -1) -> None:
        self.at_most = at_most
        self.taken: list[Message] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        self.taken.append(message)
        if len(self.taken) == self.at_most:
            self.takes.clear()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def listen(self, stream: EventStream) -> None:
        await stream({"type": "http"}, self.receive, self.send)

    @property
    def bodies(self) -> list[bytes]:
        return [m["body"] for m in self.taken if m["type"] == "http.response.body"]


class Source:
    """Messages that come when they are put in; knows when nobody wants them any more."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.left = False

    async def _come(self) -> AsyncGenerator[bytes, None]:
        try:
            while (message := await self.messages.get()) is not None:
                yield message
        finally:
            self.left = True

    def stream(self) -> EventStream:
        return EventStream(self._come())


async def test_messages_are_sent_as_they_come_and_the_response_ends_with_them() -> None:
    reader, source = Reader(), Source()
    for message in (b"one", b"two", None):
        source.messages.put_nowait(message)
    await asyncio.wait_for(reader.listen(source.stream()), 5)
    assert reader.bodies == [b"one", b"two", b""]
    headers = dict(reader.taken[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"x-accel-buffering"] == b"no"


async def test_a_reader_that_goes_ends_the_stream_while_nothing_comes() -> None:
    reader, source = Reader(), Source()
    listening = asyncio.create_task(reader.listen(source.stream()))
    source.messages.put_nowait(b"one")
    reader.gone.set()
    await asyncio.wait_for(listening, 5)
    assert source.left


@pytest.mark.parametrize("taken", [1, 2, 3])
async def test_a_reader_that_takes_nothing_more_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setattr(event_stream, "TAKEN_WITHIN_S", 0.05)
    reader, source = Reader(taken), Source()
    messages = [b"one", b"two", b"three"]
    for message in messages:
        source.messages.put_nowait(message)
    await asyncio.wait_for(reader.listen(source.stream()), 5)
    assert reader.bodies == messages[: taken - 1]
    assert source.left


async def test_a_quiet_stream_is_not_taken_for_one_that_nobody_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_stream, "TAKEN_WITHIN_S", 0.01)
    reader, source = Reader(), Source()
    listening = asyncio.create_task(reader.listen(source.stream()))
    source.messages.put_nowait(b"one")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(listening), 0.2)
    source.messages.put_nowait(None)
    await asyncio.wait_for(listening, 5)
    assert reader.bodies == [b"one", b""]


async def test_what_goes_wrong_between_messages_is_not_swallowed() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise ValueError("no more")

    reader = Reader()
    with pytest.raises(ValueError, match="no more"):
        await asyncio.wait_for(reader.listen(EventStream(broken())), 5)
