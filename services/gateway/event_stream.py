"""Sends server-sent events for as long as somebody listens.

Owns the response: its headers, its end when the client goes or takes nothing any more. Must not
know what an event is. (sse-starlette's own response keeps four tasks for each stream and a timeout
for each message: for a thousand streams that was more than half of what an event costs.)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from runtime import tasks

log = structlog.get_logger()

TAKEN_WITHIN_S = 30.0
"""Who has not taken what was sent after once or twice so long is not listening any more."""


class EventStream(Response):
    """Messages as they come, until they end or their reader does."""

    media_type = "text/event-stream"

    def __init__(self, messages: AsyncGenerator[bytes, None]) -> None:
        """`messages` are encoded events, one or some in a row each time; they are closed with the
        stream, however it ends."""
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._messages = messages
        self._sent = 0
        self._sending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything; what the messages raise is raised."""
        streaming = asyncio.create_task(self._stream(send))
        gone = asyncio.create_task(_until_gone(receive))
        try:
            over = False
            while not over:
                stuck_at = self._sent if self._sending else None
                done, _ = await asyncio.wait(
                    {streaming, gone}, timeout=TAKEN_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
                )
                over = bool(done)
                if not over and self._sending and self._sent == stuck_at:
                    log.info("stream ended: its client takes nothing", within_s=TAKEN_WITHIN_S)
                    over = True
        finally:
            await tasks.end([streaming, gone])
        if not streaming.cancelled():
            streaming.result()

    async def _stream(self, send: Send) -> None:
        self._sending = True
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._sending = False
        async with aclosing(self._messages) as messages:
            async for message in messages:
                self._sending = True
                await send({"type": "http.response.body", "body": message, "more_body": True})
                self._sending = False
                self._sent += 1
        self._sending = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
