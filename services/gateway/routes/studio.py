"""The studio's built files and the packaged sample projects, as static files.

Names are looked up in what lies in the folder at start, so no request names a path. Must not
build anything: `make studio` does.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from contracts.errors import ErrorCode
from services.gateway.deps import Needs
from services.gateway.problems import refused, responses

router = APIRouter()
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_FOR_EVER = "public, max-age=31536000, immutable"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))


@lru_cache(maxsize=4)
def built_files(folder: Path) -> Mapping[str, Path]:
    """Every file of the built studio by its path below the folder; empty when it is not built."""
    if not (folder / "index.html").is_file():
        return {}
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def studio_file(folder: Path, name: str, request: Request) -> Response | None:
    """A file of the studio, packed as the browser likes it best, or None when there is none."""
    files = built_files(folder)
    path = files.get(name)
    if path is None:
        return None
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": _FOR_EVER if name.startswith("assets/") else "no-cache",
        "Vary": "Accept-Encoding",
    }
    accepted = request.headers.get("accept-encoding", "")
    for encoding, suffix in _ENCODINGS:
        packed = files.get(name + suffix)
        if packed is not None and encoding in accepted:
            headers["Content-Encoding"] = encoding
            path = packed
            break
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=media_type, headers=headers)


@router.get("/assets/{name}", include_in_schema=False)
@router.get("/{name}.js", include_in_schema=False)
async def asset(name: str, request: Request, deps: Needs) -> Response:
    """A script, style, font or picture of the studio."""
    folder = deps.settings.studio_dir
    wanted = f"assets/{name}" if request.url.path.startswith("/assets/") else f"{name}.js"
    found = studio_file(folder, wanted, request)
    if found is None:
        raise refused(ErrorCode.NOT_FOUND)
    return found


@lru_cache(maxsize=4)
def _samples(folder: Path) -> dict[str, Any]:
    samples: dict[str, Any] = json.loads((folder / "projects.json").read_text())
    return samples


@router.get("/api/demo", responses=responses(ErrorCode.NOT_FOUND))
async def demo(deps: Needs) -> dict[str, Any]:
    """The packaged sample projects, each with the URLs of its files; 404 where there are none."""
    folder = deps.settings.demo_dir
    if folder is None:
        raise refused(ErrorCode.NOT_FOUND, sentence="There are no sample projects here.")
    samples = _samples(folder)
    projects = [
        {
            **project,
            "files": [
                {**file, "url": f"/api/demo/files/{file['name']}"} for file in project["files"]
            ],
        }
        for project in samples["projects"]
    ]
    return {"version": samples["version"], "projects": projects}


@router.get(
    "/api/demo/files/{name}",
    response_class=FileResponse,
    responses={
        200: {"content": {"image/png": {}, "video/mp4": {}, "audio/wav": {}}},
        **responses(ErrorCode.NOT_FOUND),
    },
)
async def demo_file(name: str, deps: Needs) -> FileResponse:
    """A file of a sample project."""
    folder = deps.settings.demo_dir
    listed = (
        {f["name"]: f for p in _samples(folder)["projects"] for f in p["files"]} if folder else {}
    )
    if folder is None or name not in listed:
        raise refused(ErrorCode.NOT_FOUND)
    return FileResponse(folder / name, media_type=listed[name]["mime_type"])
