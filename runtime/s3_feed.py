"""Hands chunks from the event loop to a thread that reads them like a file.

Owns the bounded queue between the two. Must not know what the bytes are for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

QUEUED_CHUNKS = 8


class FeedBroken(RuntimeError):
    """The producer of the chunks failed; its own error is the cause."""


class Feed:
    """A file-like reader for one thread, filled by one task. An empty chunk is the end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """A feed whose producer runs in `loop`."""
        self._loop = loop
        self._queue: asyncio.Queue[bytes | BaseException] = asyncio.Queue(QUEUED_CHUNKS)
        self._rest: deque[bytes] = deque()
        self._ended = False

    async def give(self, data: bytes, *, unless: asyncio.Future[Any]) -> bool:
        """Wait until there is room and hand over a chunk; False when `unless` is done first."""
        if not self._queue.full() and not unless.done():
            self._queue.put_nowait(data)
            return True
        putting: asyncio.Future[Any] = asyncio.ensure_future(self._queue.put(data))
        try:
            await asyncio.wait({putting, unless}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        return not unless.done()

    def fail(self, failure: BaseException) -> None:
        """Let the reader raise FeedBroken at its next read, whatever it has not read yet."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(failure)

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end; called in the thread. Raises FeedBroken."""
        found, missing = [], size
        while missing and not self._ended:
            data = self._rest.popleft() if self._rest else self._next()
            if not data:
                self._ended = True
            elif len(data) > missing > 0:
                found.append(data[:missing])
                self._rest.append(data[missing:])
                missing = 0
            else:
                found.append(data)
                missing -= len(data)
        return b"".join(found)

    def _next(self) -> bytes:
        given = asyncio.run_coroutine_threadsafe(self._queue.get(), self._loop).result()
        if isinstance(given, BaseException):
            raise FeedBroken("the stream to be stored broke off") from given
        return given
