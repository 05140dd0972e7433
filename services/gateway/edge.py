"""What every response and request of the public server has in common, as ASGI middleware.

Security headers, the limit of JSON bodies, request metrics, and refusals that reach the client
while it is still sending. Must not know a route.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_JSON_BYTES = 256 * 1024
DRAIN_S = 10.0
DRAIN_BYTES = 64 * 1024 * 1024
REQUESTS = Counter("animatrix_http_requests", "HTTP requests", ["method", "route", "status"])
SECONDS = Histogram(
    "animatrix_http_request_seconds",
    "Time until the response began",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Counts requests by route template, never by path: few series, for ever."""

    def __init__(self, app: ASGIApp) -> None:
        """Measure `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def watching(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else "other"
                route = getattr(scope.get("route"), "path", None) or "none"
                REQUESTS.labels(method, route, str(message["status"])).inc()
                SECONDS.labels(method, route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, watching)


class Hardened:
    """Adds the headers that keep a browser from guessing types, framing or leaking addresses."""

    def __init__(self, app: ASGIApp) -> None:
        """Harden `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Harden one response."""

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("X-Frame-Options", "DENY")
                headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
                headers.setdefault(
                    "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"
                )
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, adding)


class Lingering:
    """Delivers a refusal to a client that is still sending its body.

    Closing a connection with unread bytes makes the kernel reset it, and the client never reads
    the answer. So the refusal is sent whole first, then a bounded rest of the body is read away.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Linger for `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch whether the body was read when a refusal ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read_whole, refusing = not _has_body(scope), False

        async def watching_receive() -> Message:
            nonlocal read_whole
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                read_whole = True
            return message

        async def lingering_send(message: Message) -> None:
            nonlocal refusing
            if message["type"] == "http.response.start":
                refusing = message["status"] >= 400 and not read_whole
                if refusing:
                    MutableHeaders(scope=message)["Connection"] = "close"
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not (refusing and last):
                await send(message)
                return
            await send({**message, "more_body": True})
            await _drain(receive)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, watching_receive, lingering_send)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _drain(receive: Receive) -> None:
    read_bytes = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            while read_bytes < DRAIN_BYTES:
                message = await receive()
                read_bytes += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


class RelativeLocation:
    """Takes the host out of Location: it came from the request and proves nothing."""

    def __init__(self, app: ASGIApp) -> None:
        """Watch `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch one response."""

        async def relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "location" in headers:
                    headers["location"] = urlsplit(headers["location"]).path
            await send(message)

        await self._app(scope, receive, relative)


class LimitedJson:
    """Refuses bodies above 256 KB everywhere but at uploads, before they are read."""

    def __init__(self, app: ASGIApp) -> None:
        """Limit `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Limit one request. The 413 becomes a problem in services.gateway.problems."""
        if scope["type"] != "http" or scope["path"].startswith("/api/assets/"):
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        read_bytes = 0

        async def limited() -> Message:
            nonlocal read_bytes
            if declared.isdecimal() and int(declared) > MAX_JSON_BYTES:
                raise HTTPException(413)
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > MAX_JSON_BYTES:
                raise HTTPException(413)
            return message

        await self._app(scope, limited, send)
