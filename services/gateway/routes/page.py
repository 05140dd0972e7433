"""The landing page and the probes of the public server. No resource comes from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from runtime.health import readiness
from services.gateway.deps import Needs
from services.gateway.routes.studio import studio_file

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).resolve().parent.parent / "page"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def _file(name: str) -> Response:
    return FileResponse(
        _FOLDER / name,
        media_type=_FILES[name],
        headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"},
    )


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/console", methods=["GET", "HEAD"])
@router.api_route("/console/{rest:path}", methods=["GET", "HEAD"])
@router.api_route("/shared/{token}", methods=["GET", "HEAD"])
async def index(request: Request, deps: Needs) -> Response:
    """The studio where it is built, else the plain page."""
    return studio_file(deps.settings.studio_dir, "index.html", request) or _file("index.html")


@router.get("/page.css")
async def style() -> Response:
    """Its style."""
    return _file("page.css")


@router.get("/page.js")
async def script() -> Response:
    """Its script."""
    return _file("page.js")


@router.get("/favicon.ico")
@router.get("/icon.svg")
async def icon() -> Response:
    """Its icon."""
    return _file("icon.svg")


@router.get("/healthz")
async def healthz() -> Response:
    """Alive."""
    return JSONResponse({"service": "gateway", "status": "alive"})


@router.get("/readyz")
async def readyz(deps: Needs) -> Response:
    """Ready for work."""
    results = await readiness(deps.checks)
    ready = all(result is None for result in results.values())
    body = {"service": "gateway", "ready": ready, "checks": results}
    return JSONResponse(body, status_code=200 if ready else 503)
