"""Puts the public application together: routes, problems, middleware, OpenAPI.

Must not start anything: app.py does.
"""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.types import ASGIApp

from contracts.errors import ErrorCode, error_info
from runtime.tails import BusUnavailable
from services.gateway import problems
from services.gateway.access.audited import Audited
from services.gateway.access.guard import Access
from services.gateway.adapters.db.engine import AWAY_TYPES, is_away
from services.gateway.deps import Deps, listed
from services.gateway.edge import Hardened, LimitedJson, Lingering, Measured, RelativeLocation
from services.gateway.routes import (
    accounts,
    admin,
    assets,
    capabilities,
    characters,
    dead_letters,
    export,
    jobs,
    key_poses,
    more_modes,
    packs,
    page,
    pausing,
    presets,
    replay,
    session,
    shares,
    storage,
    streams,
    studio,
    sweeping,
    webhooks,
    workflows,
)
from services.gateway.routes.uploads import upload_routes

log = structlog.get_logger()
ROUTE_MODULES = (
    assets,
    streams,
    jobs,
    more_modes,
    packs,
    export,
    capabilities,
    admin,
    storage,
    key_poses,
    pausing,
    dead_letters,
    replay,
    sweeping,
    workflows,
    characters,
    presets,
    webhooks,
    accounts,
    session,
    shares,
    page,
    studio,
)
_NO_SPANS = "healthz,readyz,/stream$,page\\.,icon\\.svg,favicon"


def web_app(deps: Deps) -> ASGIApp:
    """The application that answers the public."""
    app = described_app()
    app.state.deps = deps
    app.include_router(upload_routes(deps))
    FastAPIInstrumentor.instrument_app(
        app, excluded_urls=_NO_SPANS, exclude_spans=["send", "receive"]
    )
    guarded: ASGIApp = app
    for layer in (LimitedJson, RelativeLocation, Measured):
        guarded = layer(guarded)
    door = Access(guarded, deps.settings, deps.credentials)
    return Hardened(Lingering(Audited(door, deps.audit)))


def described_app() -> FastAPI:
    """Routes, problems and description alone; enough to write the OpenAPI document."""
    app = FastAPI(
        title="Animatrix",
        version="1",
        description="Guided character video. Errors are problem+json with code and remedy.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        responses=problems.responses(),
    )
    problems.install(app)

    @app.exception_handler(BusUnavailable)
    async def on_silent_bus(request: Request, silent: BusUnavailable) -> JSONResponse:
        log.warning("the bus does not answer", path=request.url.path, reason=str(silent))
        error = error_info(ErrorCode.UNAVAILABLE)
        return problems.respond(problems.problem_of([error]), {"Retry-After": "5"})

    async def on_trouble(request: Request, trouble: Exception) -> JSONResponse:
        if is_away(trouble):
            log.warning("storage is away", path=request.url.path, reason=repr(trouble))
            error = error_info(ErrorCode.UNAVAILABLE)
            return problems.respond(problems.problem_of([error]), {"Retry-After": "5"})
        raise trouble

    for storage_trouble in AWAY_TYPES:
        app.add_exception_handler(storage_trouble, on_trouble)

    for module in ROUTE_MODULES:
        app.include_router(module.router, dependencies=[Depends(listed)])
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The generated description, with the shape of problems in it and our own 422."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        for gone in ("HTTPValidationError", "ValidationError"):
            schemas.pop(gone, None)
        _replace_validation_errors(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _replace_validation_errors(schema: dict[str, Any]) -> None:
    ours = problems.responses(ErrorCode.BODY_INVALID)[422]
    for operations in schema["paths"].values():
        for operation in operations.values():
            described = operation.get("responses", {}).get("422")
            if described and "application/json" in described.get("content", {}):
                operation["responses"]["422"] = ours
