"""The HTTP and websocket routes of ComfyUI.

Owns bodies and status codes; decisions are made in validation.py, queue.py and files.py.
Every route also answers under /api. Source: the ComfyUI fact page, checked live.
"""

import asyncio
import json
import os
import platform
import sys
import uuid
from json import JSONDecodeError
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from simulators.comfyui.files import ForbiddenPath, split_annotation
from simulators.comfyui.queue import QueuedPrompt
from simulators.comfyui.serving import served
from simulators.comfyui.state import State
from simulators.comfyui.validation import problem, validate

PAGE = """<!doctype html><html lang="en"><title>Simulated ComfyUI</title>
<h1>Simulated ComfyUI</h1><p>This is a stand-in server. Its videos are marked SIMULATED.</p>
</html>"""
TROUBLE = "500 Internal Server Error\n\nServer got itself in trouble"


class Json(JSONResponse):
    """JSON with the media type aiohttp gives it."""

    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        """The text as Python's json writes it, with its spaces and escapes."""
        return json.dumps(content).encode()


def _state(request: Request) -> State:
    state: State = request.app.state.simulator
    return state


async def page(_: Request) -> Response:
    """GET /"""
    return HTMLResponse(PAGE)


async def post_prompt(request: Request) -> Response:
    """POST /prompt: 200 with node_errors of refused outputs, or 400."""
    state = _state(request)
    body = await request.json()
    number, prompt_id = state.number(body), ""
    if not isinstance(body, dict) or "prompt" not in body:
        text = "No prompt provided"
        error = problem("no_prompt", text, text)
        return Json({"error": error, "node_errors": {}}, 400)
    prompt_id = str(body.get("prompt_id", uuid.uuid4()))
    targets = body.get("partial_execution_targets")
    graph = body["prompt"]
    verdict = await asyncio.to_thread(validate, graph, state.catalogue, state.files, targets)
    if verdict.error is not None:
        return Json({"error": verdict.error, "node_errors": verdict.node_errors}, 400)
    extra = dict(body.get("extra_data") or {})
    if "client_id" in body:
        extra["client_id"] = body["client_id"]
    state.journal.add("accepted", prompt_id=prompt_id, client_id=extra.get("client_id"))
    state.queue.put(QueuedPrompt(number, prompt_id, graph, extra, verdict.outputs))
    if delay := state.faults.strike("delay_prompt"):
        await asyncio.sleep(delay.seconds)
    if state.faults.strike("accept_without_answer"):
        while (await request.receive())["type"] != "http.disconnect":
            continue
    if state.faults.strike("accept_with_500"):
        return PlainTextResponse(TROUBLE, 500)
    answer = {"prompt_id": prompt_id, "number": number, "node_errors": verdict.node_errors}
    return Json(answer)


async def get_prompt(request: Request) -> Response:
    """GET /prompt: how many prompts wait or run."""
    return Json({"exec_info": {"queue_remaining": _state(request).queue.remaining()}})


async def get_queue(request: Request) -> Response:
    """GET /queue: whole graphs, waiting ones in heap order."""
    return Json(_state(request).queue.listed())


async def post_queue(request: Request) -> Response:
    """POST /queue {"delete": [...]} or {"clear": true}: always 200 and empty."""
    body = await request.json()
    body = body if isinstance(body, dict) else {}
    queue = _state(request).queue
    if body.get("clear"):
        queue.clear()
    for prompt_id in body.get("delete", []):
        queue.delete(prompt_id)
    return Response()


async def post_interrupt(request: Request) -> Response:
    """POST /interrupt: with a prompt_id only that prompt, without a body whatever runs."""
    try:
        body = await request.json()
    except JSONDecodeError:
        body = {}
    _state(request).queue.interrupt(body.get("prompt_id"))
    return Response()


async def get_history(request: Request) -> Response:
    """GET /history and /history/{prompt_id}."""
    newest = request.query_params.get("max_items")
    prompt_id = request.path_params.get("prompt_id")
    queue = _state(request).queue
    return Json(queue.history(prompt_id, None if newest is None else int(newest)))


async def post_history(request: Request) -> Response:
    """POST /history {"delete": [...]} or {"clear": true}."""
    body = await request.json()
    queue = _state(request).queue
    if body.get("clear"):
        queue.forget(None)
    queue.forget(body.get("delete", []))
    return Response()


async def post_upload(request: Request) -> Response:
    """POST /upload/image: any kind of file in the field ``image``."""
    state = _state(request)
    async with request.form() as form:
        upload = form.get("image")
        kind = str(form.get("type", "input"))
        if upload is None:
            return Response(status_code=400)
        if not isinstance(upload, UploadFile) or not upload.filename:
            raise TypeError("the field image holds no file")
        subfolder = str(form.get("subfolder") or "")
        overwrite = form.get("overwrite") in ("true", "1")
        try:
            name = await asyncio.to_thread(
                state.files.store_upload, upload.file, upload.filename, subfolder, kind, overwrite
            )
        except ForbiddenPath:
            return Response(status_code=400)
    return Json({"name": name, "subfolder": subfolder, "type": kind})


async def get_view(request: Request) -> Response:
    """GET and HEAD /view: a file, with ranges."""
    query = request.query_params
    name = query.get("filename")
    if name is None:
        return Response(status_code=404)
    name, annotated = split_annotation(name)
    kind = annotated or query.get("type", "output")
    if not name or name.startswith("/") or ".." in name:
        return Response(status_code=400)
    try:
        path = _state(request).files.inside(kind, query.get("subfolder", ""), name)
    except ForbiddenPath:
        return Response(status_code=403)
    except KeyError:
        return Response(status_code=400)
    if not path.is_file():
        return Response(status_code=404)
    return served(path, request.headers)


async def get_object_info(request: Request) -> Response:
    """GET /object_info and /object_info/{name}."""
    state = _state(request)
    name = request.path_params.get("name")
    return Json(await asyncio.to_thread(state.catalogue.described, state.files, name))


async def get_models(request: Request) -> Response:
    """GET /models and /models/{folder}."""
    files = _state(request).files
    folder = request.path_params.get("folder")
    if folder is None:
        return Json(files.model_folders())
    names = files.model_names(folder)
    return Response(status_code=404) if names is None else Json(names)


async def get_features(request: Request) -> Response:
    """GET /features."""
    return Json(_state(request).features)


async def get_system_stats(request: Request) -> Response:
    """GET /system_stats: versions and memory; argv names the simulator."""
    state = _state(request)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    system = {
        "os": os.name,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": state.catalogue.version,
        "required_frontend_version": "0.0.0",
        "python_version": sys.version,
        "pytorch_version": "none (simulated)",
        "embedded_python": False,
        "argv": ["simulators.comfyui", "--host", state.settings.host],
    }
    device = {
        "name": f"simulated device on {platform.machine()}",
        "type": "cpu",
        "index": None,
        "vram_total": total,
        "vram_free": free,
        "torch_vram_total": total,
        "torch_vram_free": free,
    }
    return Json({"system": system, "devices": [device]})


async def post_free(request: Request) -> Response:
    """POST /free: unloading keeps cached results, free_memory drops them."""
    body = await request.json()
    if body.get("free_memory"):
        _state(request).executor.forget()
    return Response()


async def listen(socket: WebSocket) -> None:
    """/ws?clientId=..."""
    state: State = socket.app.state.simulator
    await state.hub.serve(socket, state.queue.remaining())


def routes() -> list[BaseRoute]:
    """All routes, plain and under /api."""
    listed: list[BaseRoute] = [
        Route("/", page),
        Route("/prompt", get_prompt, methods=["GET"]),
        Route("/prompt", post_prompt, methods=["POST"]),
        Route("/queue", get_queue, methods=["GET"]),
        Route("/queue", post_queue, methods=["POST"]),
        Route("/interrupt", post_interrupt, methods=["POST"]),
        Route("/history", get_history, methods=["GET"]),
        Route("/history", post_history, methods=["POST"]),
        Route("/history/{prompt_id}", get_history, methods=["GET"]),
        Route("/upload/image", post_upload, methods=["POST"]),
        Route("/view", get_view, methods=["GET", "HEAD"]),
        Route("/object_info", get_object_info),
        Route("/object_info/{name}", get_object_info),
        Route("/models", get_models),
        Route("/models/{folder}", get_models),
        Route("/features", get_features),
        Route("/system_stats", get_system_stats),
        Route("/free", post_free, methods=["POST"]),
        WebSocketRoute("/ws", listen),
    ]
    return [*listed, Mount("/api", routes=list(listed))]
