"""Serves an ASGI application inside a service's process, under the process's own signals.

Must not install signal handlers: runtime.process owns them.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEAD_BYTES = 64 * 1024
"""Of a request: its line and headers. The parser itself would gather them without end."""
GRACEFUL_S = 3
KEEP_ALIVE_S = 75
"""Longer than proxies keep a connection that is idle (60 s, nginx and its ingress): who closes
first must be the one who sends, or a request meets a connection that is being closed."""


class _Protocol(HttpToolsProtocol):
    """HTTP as Uvicorn speaks it, with an end to how long the head of a request may be."""

    _in_head = True
    _heads = 0
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that is too long is refused and the connection closed."""
        in_head, heads = self._in_head, self._heads
        super().data_received(data)
        if not in_head or self._heads > heads:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers of this request are too large.")

    def on_headers_complete(self) -> None:
        """The head is whole: what follows is not counted."""
        self._in_head, self._head_bytes = False, 0
        self._heads += 1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next thing to come is a head."""
        self._in_head = True
        super().on_message_complete()


class _State(ServerState):
    """What the connections share. Uvicorn wakes ten times a second to make the Date header anew;
    here it is made when one is sent and the second is another."""

    _second = 0
    _headers: list[tuple[bytes, bytes]]

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The Date of this second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, _headers: list[tuple[bytes, bytes]]) -> None:
        """Uvicorn's own are not wanted."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self.server_state = _State()
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """Serve until `stopping`."""
        await self._stopping.wait()


def listen(host: str, port: int) -> socket.socket:
    """A bound listening socket; port 0 takes a free one. Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle off only where the protocol is named; else each answer waits 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    bound.listen(512)
    bound.setblocking(False)
    return bound


async def serve_http(app: Any, sock: socket.socket, stopping: asyncio.Event) -> None:
    """Serve until `stopping`; open streams get three seconds to end."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACEFUL_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            http=_Protocol,
        ),
        stopping,
    )
    await server.serve(sockets=[sock])
