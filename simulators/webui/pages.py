"""The routes outside /sdapi: the UI's, and the description of all routes.

Owns /config, /internal, /upload, /file=, /openapi.json. With --nowebui only the last exists.
"""

import asyncio
import mimetypes
import re
import secrets
from pathlib import Path, PurePath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from simulators.webui.generation import VERSION
from simulators.webui.sdapi import state_of

PAGE = """<!doctype html><html lang="en"><title>Simulated WebUI</title>
<h1>Simulated WebUI</h1><p>This is a stand-in server. Its pictures are marked SIMULATED.</p>
</html>"""


async def page(_: Request) -> Response:
    """GET /"""
    return HTMLResponse(PAGE)


async def config(request: Request) -> Response:
    """GET /config: the page's components; motion models are a dropdown's choices."""
    installed = state_of(request).installed
    components: list[dict[str, Any]] = [
        {"id": 1, "type": "textbox", "props": {"elem_id": "txt2img_prompt"}}
    ]
    if installed.animatediff:
        components += [
            {
                "id": at + 2,
                "type": "dropdown",
                "props": {
                    "elem_id": f"{tab}-ad-motion-module",
                    "choices": [[name, name] for name in installed.motion_models],
                },
            }
            for at, tab in enumerate(("txt2img", "img2img"))
        ]
    return JSONResponse({"version": "3.41.2", "components": components})


async def task_progress(request: Request) -> Response:
    """POST /internal/progress."""
    body = await request.json()
    return JSONResponse(state_of(request).progress.task_answer(str(body["id_task"])))


async def ping(_: Request) -> Response:
    """GET /internal/ping."""
    return JSONResponse({})


async def sysinfo(_: Request) -> Response:
    """GET /internal/sysinfo."""
    return JSONResponse({"Platform": "simulated", "Version": VERSION})


async def upload(request: Request) -> Response:
    """POST /upload: answers the paths on the server."""
    root = state_of(request).settings.state / "tmp" / "gradio"
    kept = []
    async with request.form() as form:
        for file in form.getlist("files"):
            if not isinstance(file, UploadFile):
                continue
            folder = root / secrets.token_hex(20)
            folder.mkdir(parents=True)
            path = folder / (PurePath(file.filename or "").name or "file")
            path.write_bytes(await file.read())
            kept.append(str(path))
    return JSONResponse(kept)


async def file(request: Request) -> Response:
    """GET /file={path}: only what lies under the data folder."""
    state = state_of(request)
    asked = request.path_params["path"]
    path = await asyncio.to_thread(Path(asked).resolve)
    if not state.installed.file_access or not path.is_relative_to(state.settings.state):
        return JSONResponse({"detail": f"File not allowed: {asked}."}, 403)
    if not await asyncio.to_thread(path.is_file):
        return JSONResponse({"detail": f"File not found: {asked}."}, 404)
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=media_type)


async def openapi(request: Request) -> Response:
    """GET /openapi.json: the routes that exist at this moment."""
    installed = state_of(request).installed
    paths: dict[str, dict[str, Any]] = {}
    for route in request.app.routes:
        if not isinstance(route, Route) or route.path.startswith("/simulator"):
            continue
        if route.path.startswith("/deforum_api") and not installed.deforum:
            continue
        shown = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        for method in route.methods or ():
            paths.setdefault(shown, {})[method.lower()] = {}
    return JSONResponse({"openapi": "3.1.0", "info": {"title": "FastAPI"}, "paths": paths})


def page_routes(ui: bool) -> list[Route]:
    """The routes of the UI, and of every server."""
    always = [Route("/openapi.json", openapi)]
    if not ui:
        return always
    return [
        *always,
        Route("/", page),
        Route("/config", config),
        Route("/internal/ping", ping),
        Route("/internal/sysinfo", sysinfo),
        Route("/internal/progress", task_progress, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/file={path:path}", file, methods=["GET", "HEAD"]),
    ]
