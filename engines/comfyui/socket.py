"""The websocket of one engine: always trying to be open, never the truth.

Owns connecting, reconnecting and handing each message to its listeners. It never raises for
a lost connection and decides nothing about prompts; whoever listens must go on polling, since
nothing is replayed and an open socket may be deaf.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Self
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..http.address import EngineAddress
from ..http.backoff import Backoff
from .errors import excerpt
from .messages import (
    Connected,
    Disconnected,
    Silent,
    SocketEvent,
    read_binary,
    read_text,
)

MAX_FRAME_BYTES = 64 * 1024 * 1024
BUFFERED_EVENTS = 1000
_HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})

# below INFO the library logs the handshake's headers, credentials included
_wire_log = logging.getLogger("engines.comfyui.socket.wire")
_wire_log.setLevel(logging.WARNING)


class _Connect(connect):
    """A connection that follows no redirect: our headers belong to this engine alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Every redirect is an error."""
        return exc


class Listener:
    """What one party hears: an async iterator over a bounded buffer, newest kept.

    With a `prompt_id`, messages that name another prompt are left out. Use as a context
    manager, so that the socket forgets it.
    """

    def __init__(self, socket: ComfySocket, prompt_id: str | None) -> None:
        self.socket = socket
        self.prompt_id = prompt_id
        self._events: deque[SocketEvent] = deque(maxlen=BUFFERED_EVENTS)
        self._arrived = asyncio.Event()

    def __enter__(self) -> Self:
        """Starts to listen."""
        self.socket._listeners.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stops listening."""
        self.socket._listeners.discard(self)

    def __aiter__(self) -> AsyncIterator[SocketEvent]:
        """Endless; ends only with the task that iterates."""
        return self._all()

    async def heard(self, within_s: float) -> SocketEvent | None:
        """The next event, or None when none came in `within_s` seconds."""
        if not self._events:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, within_s)):
                    await self._arrived.wait()
        return self._events.popleft() if self._events else None

    def hear(self, event: SocketEvent) -> None:
        """Takes an event in, if it concerns this listener."""
        named = getattr(event, "prompt_id", None)
        if self.prompt_id is None or named is None or named == self.prompt_id:
            self._events.append(event)
            self._arrived.set()

    async def _all(self) -> AsyncIterator[SocketEvent]:
        while True:
            event = await self.heard(3600.0)
            if event is not None:
                yield event


class ComfySocket:
    """`/ws?clientId=` of one engine, kept open by a task while the context is entered.

    One socket per engine and client_id: of two with the same id only the newer hears, and
    when the older closes the newer goes deaf without closing. `Silent` events tell when
    nothing came for `silent_after_s`; `reopen` cures a deaf socket.
    """

    def __init__(
        self,
        address: EngineAddress,
        client_id: str,
        *,
        silent_after_s: float = 30.0,
        backoff: Backoff | None = None,
    ) -> None:
        self.address = address
        self.client_id = client_id
        self._silent_after_s = silent_after_s
        self._backoff = backoff or Backoff(0.25, 10.0)
        self._listeners: set[Listener] = set()
        self._connection: ClientConnection | None = None
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Starts connecting; does not wait for success."""
        self._task = asyncio.create_task(self._keep_open(), name="comfyui-socket")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the socket and stops."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def __repr__(self) -> str:
        """The address without secrets."""
        return f"ComfySocket({self.address.base_url!r}, client_id={self.client_id!r})"

    def __aiter__(self) -> AsyncIterator[SocketEvent]:
        """Every event from now on; see `events`."""
        return self.events()

    @property
    def connected(self) -> bool:
        """Whether the socket is open at this moment (it may be deaf)."""
        return self._connection is not None

    def listen(self, prompt_id: str | None = None) -> Listener:
        """A listener to enter with `with`; open it before submitting to miss nothing."""
        return Listener(self, prompt_id)

    async def reopen(self) -> None:
        """Closes the socket if it is open and connects again at once, without waiting for it.

        The old one is closed first: the other order would make the new one deaf.
        """
        self._hurry.set()
        if self._connection is not None:
            await self._connection.close()

    async def events(self) -> AsyncGenerator[SocketEvent, None]:
        """Every event from now on, endless; wrap in `contextlib.aclosing` if you leave it."""
        with self.listen() as listener:
            async for event in listener:
                yield event

    async def _keep_open(self) -> None:
        attempt = 0
        while True:
            opened_at: float | None = None
            try:
                async with self._connect() as connection:
                    opened_at = time.monotonic()
                    self._connection = connection
                    self._hurry.clear()
                    await connection.send(_HELLO)
                    self._tell(Connected(attempt))
                    await self._hear(connection)
                    cause = "closed"
            except (OSError, TimeoutError, WebSocketException, EOFError) as error:
                cause = excerpt(f"{type(error).__name__} {error}")
            finally:
                self._connection = None
            # a server that opens and closes at once must not be dialled without a pause
            lasted = opened_at is not None and time.monotonic() - opened_at > 5.0
            attempt = 0 if lasted else attempt + 1
            delay_s = 0.0 if self._hurry.is_set() else self._backoff.delay_s(max(0, attempt - 1))
            self._tell(Disconnected(cause, delay_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._hurry.wait()
            self._hurry.clear()

    def _connect(self) -> connect:
        return _Connect(
            self.address.ws_url("/ws", urlencode({"clientId": self.client_id})),
            additional_headers=self.address.request_headers(),
            ssl=self.address.tls(),
            proxy=None,
            compression=None,
            open_timeout=self.address.timeouts.connect_s + 5.0,
            # the server pings nobody; a busy one may answer late
            ping_interval=20.0,
            ping_timeout=60.0,
            close_timeout=2.0,
            max_size=MAX_FRAME_BYTES,
            logger=_wire_log,
        )

    async def _hear(self, connection: ClientConnection) -> None:
        last = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(self._silent_after_s):
                    frame = await connection.recv()
            except TimeoutError:
                self._tell(Silent(time.monotonic() - last))
                continue
            except ConnectionClosed as closed:
                if self._hurry.is_set():
                    return
                raise closed from None
            last = time.monotonic()
            self._tell(read_text(frame) if isinstance(frame, str) else read_binary(frame))

    def _tell(self, event: SocketEvent) -> None:
        for listener in tuple(self._listeners):
            listener.hear(event)
