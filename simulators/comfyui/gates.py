"""What every request passes before it reaches a route.

Owns the Origin rule, the body limit and ordered HTTP faults; it knows no route. Bodies are
counted while they stream, so that an oversize upload costs no memory.
"""

import asyncio
import logging
from urllib.parse import urlparse

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.comfyui.faults import Fault, FaultBoard, Kind
from simulators.comfyui.settings import is_loopback

log = logging.getLogger(__name__)


class BodyTooLarge(Exception):
    """More bytes came than the server takes."""


def foreign_origin(headers: Headers) -> bool:
    """True when a page of another site sends a request to a loopback server."""
    origin, host = headers.get("origin"), headers.get("host")
    if not origin or not host:
        return False
    site = urlparse(origin).netloc.lower()
    # "null" and the like name no site and pass, as on the real server.
    return bool(site) and site != host.lower() and is_loopback(urlparse(f"//{host}").hostname or "")


class Gate:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, faults: FaultBoard, max_body_bytes: int) -> None:
        self._app, self._faults, self._limit = app, faults, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or lets pass with a counted body."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await refusal(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        if delayed := self._struck("http_delay", scope):
            await asyncio.sleep(delayed.seconds)
        if self._struck("http_cut", scope):
            # Less than was promised: the server breaks the connection.
            length = (b"content-length", b"1000")
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            return
        await self._counted(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if foreign_origin(Headers(scope=scope)):
            return Response(status_code=403)
        fault = self._struck("http", scope)
        return None if fault is None else PlainTextResponse("ordered fault", fault.status)

    def _struck(self, kind: Kind, scope: Scope) -> Fault | None:
        path = scope["path"].removeprefix("/api")
        if path.startswith("/simulator"):
            return None
        return self._faults.strike(
            kind,
            match=lambda f: path.startswith(f.path) and f.method in (None, scope.get("method")),
        )

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                # Read to the end first: an answer in the middle of a body is often lost.
                while message.get("more_body", False):
                    message = await receive()
                raise BodyTooLarge
            return message

        try:
            await self._app(scope, counting, send)
        except Exception:
            # The 500 is already sent; the connection stays open, as the real server's does.
            log.exception("a request failed")
