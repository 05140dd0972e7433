"""The health server of a process: /healthz (alive), /readyz (may get work), /metrics.

Must not change anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[str | None]]
"""Returns None when well, else a plain sentence saying what is missing."""

CHECK_TIMEOUT_S = 2.0


async def readiness(checks: Mapping[str, Check]) -> dict[str, str | None]:
    """The result of every check by name; one that hangs or raises counts as not ready."""

    async def one(check: Check) -> str | None:
        try:
            return await asyncio.wait_for(check(), CHECK_TIMEOUT_S)
        except TimeoutError:
            return "no answer"
        except Exception as broken:
            return repr(broken)

    results = await asyncio.gather(*(one(check) for check in checks.values()))
    return dict(zip(checks, results, strict=True))


def health_app(service: str, checks: Mapping[str, Check]) -> Starlette:
    """The health application of a service."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"service": service, "status": "alive"})

    async def readyz(_: Request) -> Response:
        results = await readiness(checks)
        ready = all(result is None for result in results.values())
        body = {"service": service, "ready": ready, "checks": results}
        return JSONResponse(body, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )
