"""Writes every request that may change something to the audit trail, with who and how it ended.

Nobody in particular is not written: a request without credentials changes nothing, and writing it
would let strangers fill the database. Must not look into bodies.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.stamp import now
from services.gateway.access.caller import Caller
from services.gateway.access.guard import SAFE_METHODS
from services.gateway.access.roles import Permit
from services.gateway.adapters.db.audit import AuditTrail, Deed, TrailUnavailable

log = structlog.get_logger()
UNWRITTEN = Counter("animatrix_audit_unwritten", "Deeds that could not be written to the trail")
TARGET_CHARACTERS = 400


class Audited:
    """ASGI middleware around the door, so that what the door refuses is written too."""

    def __init__(self, app: ASGIApp, trail: AuditTrail) -> None:
        """Watch `app`."""
        self._app, self._trail = app, trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch one request."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        status, location = 500, ""

        async def watching(message: Message) -> None:
            nonlocal status, location
            if message["type"] == "http.response.start":
                status = message["status"]
                location = Headers(raw=message.get("headers", [])).get("location", "")
            await send(message)

        try:
            await self._app(scope, receive, watching)
        finally:
            state = scope.get("state", {})
            caller, permit = state.get("caller"), state.get("permit")
            if caller is not None and permit is not None:
                await self._write(caller, permit, scope["method"], location, status)

    async def _write(
        self, caller: Caller, permit: Permit, method: str, location: str, status: int
    ) -> None:
        target = "/".join(permit.ids.values()) or urlsplit(location).path.rpartition("/")[2]
        deed = Deed(
            at=now(),
            owner=caller.owner,
            how=caller.how,
            key_id=caller.key_id,
            action=f"{method} {permit.path}",
            target=target[:TARGET_CHARACTERS],
            outcome=status,
        )
        try:
            await self._trail.add(deed)
        except TrailUnavailable as broken:
            # The answer is already on its way; the line in the log is what is left.
            UNWRITTEN.inc()
            log.error(  # noqa: TRY400 - the cause is in `reason`, a traceback adds nothing
                "deed not in the audit trail", **_plain(deed), reason=str(broken)
            )


def _plain(deed: Deed) -> dict[str, str | int | None]:
    return {
        "owner": deed.owner,
        "action": deed.action,
        "target": deed.target,
        "outcome": deed.outcome,
    }
