"""The door: finds out who asks, whether they may, and refuses before anything else looks.

Without configured credentials only this machine's own names are served (against DNS rebinding) and
pages of other origins may change nothing. Must not serve a route.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.errors import ErrorCode
from services.gateway.access.caller import Caller
from services.gateway.access.roles import permit
from services.gateway.adapters.db.engine import AWAY_TYPES, is_away
from services.gateway.problems import Refused, problem_of, refused, respond
from services.gateway.settings import Settings

log = structlog.get_logger()

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_GUARDED = ("/api/", "/media/")


class Credentials(Protocol):
    """Finds the caller of a request by the credentials in its headers."""

    async def caller(self, method: str, headers: Headers) -> Caller | None:
        """Who asks, None for nobody in particular. Raises Refused for wrong credentials."""


def is_loopback_name(host: str) -> bool:
    """True for a Host header that names this machine: localhost or a loopback address."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        return ip_address(name).is_loopback
    except ValueError:
        return False


def needs_caller(path: str) -> bool:
    """True for paths that answer callers only, also where there is no such route."""
    return path.startswith(_GUARDED)


class Access:
    """ASGI middleware that answers 401 and 403, and notes caller and permit for the routes."""

    def __init__(self, app: ASGIApp, settings: Settings, credentials: Credentials) -> None:
        """Guard `app`."""
        self._app = app
        self._open = not settings.needs_credentials
        self._origins = frozenset(settings.allowed_origins)
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or refuse it."""
        if scope["type"] == "http":
            refusal = await self._refusal(scope)
            if refusal is not None:
                response = respond(problem_of(refusal.errors), refusal.headers)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Refused | None:
        try:
            await self._admit(scope)
        except Refused as refusal:
            return refusal
        except AWAY_TYPES as trouble:
            if not is_away(trouble):
                raise
            log.warning("credentials cannot be looked up", reason=repr(trouble))
            return refused(ErrorCode.UNAVAILABLE, headers={"Retry-After": "5"})
        return None

    async def _admit(self, scope: Scope) -> None:
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        if self._open:
            self._only_from_here(method, headers)
        found = permit(method, path)
        state = scope.setdefault("state", {})
        state["permit"], state["caller"] = found, None
        if found.role is None if found else not needs_caller(path):
            return
        caller = await self._credentials.caller(method, headers)
        if caller is None:
            raise refused(ErrorCode.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        state["caller"] = caller
        if found is not None and found.role is not None and not caller.may(found.role):
            raise refused(
                ErrorCode.FORBIDDEN,
                remedy=f"This needs the role '{found.role}': ask your operator for a key with it.",
            )

    def _only_from_here(self, method: str, headers: Headers) -> None:
        if not is_loopback_name(headers.get("host", "")):
            raise refused(ErrorCode.FORBIDDEN_HOST)
        if method not in SAFE_METHODS and self._from_elsewhere(headers):
            raise refused(
                ErrorCode.FORBIDDEN_HOST,
                sentence="Pages of other sites may not change anything here.",
                remedy="Use the address that the system printed when it started.",
            )

    def _from_elsewhere(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None and origin in self._origins:
            return False
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return True
        return origin is not None and urlsplit(origin).netloc != headers.get("host")
