"""Who listens on /ws, and the order in which messages go out.

Owns the sockets by client id and one outgoing line for all of them. Nothing is replayed,
no pings are sent, and the ways in which a socket goes deaf are those of the real server.
"""

import asyncio
import contextlib
import json
import struct
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from simulators.comfyui.faults import FaultBoard

PREVIEW_PLAIN = 1
PREVIEW_WITH_METADATA = 4
IMAGE_JPEG = 1
FORCED_CLOSE = 1011


class Hub:
    """The open sockets. ``send`` and ``send_preview`` may be called from any thread."""

    def __init__(self, faults: FaultBoard, features: dict[str, Any]) -> None:
        self._faults = faults
        self._features = features
        self._sockets: dict[str, WebSocket] = {}
        self._flags: dict[str, dict[str, Any]] = {}
        self._line: asyncio.Queue[tuple[str | bytes, str | None]] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.client_id: str | None = None
        self.last_node: str | None = None

    async def publish(self) -> None:
        """Sends queued messages for ever, in order."""
        self._loop = asyncio.get_running_loop()
        while True:
            message, client_id = await self._line.get()
            if self._faults.strike("drop_websocket"):
                for socket in list(self._sockets.values()):
                    await self._close(socket)
            for sid, socket in list(self._sockets.items()):
                if client_id in (None, sid):
                    await self._deliver(socket, message)

    def send(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """Queues a message for one client, or for all."""
        self._queue(json.dumps({"type": kind, "data": data}), client_id)

    def send_to_client(self, kind: str, data: dict[str, Any], broadcast: bool = False) -> None:
        """Queues a message for the client of the running prompt.

        Where that prompt has no client, only broadcast messages go out, to everyone.
        """
        if self.client_id is not None or broadcast:
            self.send(kind, data, self.client_id)

    def send_preview(self, jpeg: bytes, metadata: dict[str, Any]) -> None:
        """Queues a preview picture in the form the client asked for."""
        if self._flags.get(self.client_id or "", {}).get("supports_preview_metadata"):
            text = json.dumps({**metadata, "image_type": "image/jpeg"}).encode()
            body = struct.pack(">II", PREVIEW_WITH_METADATA, len(text)) + text + jpeg
        else:
            body = struct.pack(">II", PREVIEW_PLAIN, IMAGE_JPEG) + jpeg
        self._queue(body, self.client_id)

    async def serve(self, socket: WebSocket, remaining: int) -> None:
        """Holds one socket from its handshake to its end."""
        if self._faults.strike("refuse_websocket"):
            await socket.close()
            return
        sid = socket.query_params.get("clientId") or uuid.uuid4().hex
        await socket.accept()
        deaf = self._faults.strike("deaf_websocket") is not None
        self._flags[sid] = {}
        if not deaf:
            self._sockets[sid] = socket
        status = {"status": {"exec_info": {"queue_remaining": remaining}}, "sid": sid}
        await self._deliver(socket, json.dumps({"type": "status", "data": status}))
        if self.client_id == sid and self.last_node is not None:
            running = {"type": "executing", "data": {"node": self.last_node}}
            await self._deliver(socket, json.dumps(running))
        try:
            await self._listen(socket, sid)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client left; starlette raises either, by who noticed first
        finally:
            # Whichever socket of this client ends, the entry goes: a newer one turns deaf.
            self._sockets.pop(sid, None)
            self._flags.pop(sid, None)

    async def _listen(self, socket: WebSocket, sid: str) -> None:
        first = True
        while True:
            text = await socket.receive_text()
            if first:
                first = False
                try:
                    message = json.loads(text)
                except ValueError:
                    continue
                if isinstance(message, dict) and message.get("type") == "feature_flags":
                    self._flags[sid] = message.get("data") or {}
                    answer = {"type": "feature_flags", "data": self._features}
                    await self._deliver(socket, json.dumps(answer))

    def _queue(self, message: str | bytes, client_id: str | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._line.put_nowait, (message, client_id))

    async def _deliver(self, socket: WebSocket, message: str | bytes) -> None:
        try:
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_text(message)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # a closing socket; its own task removes it

    async def _close(self, socket: WebSocket) -> None:
        # The other side may have closed it already.
        with contextlib.suppress(RuntimeError, OSError):
            await socket.close(FORCED_CLOSE)
