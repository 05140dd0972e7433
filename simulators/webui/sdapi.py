"""The routes under /sdapi.

Owns their bodies and status codes, the lock that serialises generation, and what becomes of
a result nobody waits for; what is made is decided in generation.py.
"""

import asyncio
import base64
import uuid
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.webui import animatediff, generation
from simulators.webui.answers import Crashed, Refused
from simulators.webui.faults import Where
from simulators.webui.requests import Extra, ExtraBatch, ExtraSingle, Img2Img, Txt2Img
from simulators.webui.state import SAMPLERS, UPSCALERS, State

T = TypeVar("T")


class Unanswered(Exception):
    """The connection is to be cut without an answer."""


def state_of(request: Request) -> State:
    """The simulator a request came to."""
    state: State = request.app.state.simulator
    return state


async def _locked(
    request: Request, task_id: str, kind: Where, work: Callable[[], T], count: Callable[[T], Any]
) -> T:
    """Runs work under the one lock, whether or not the client is still there."""
    state = state_of(request)
    state.journal.add("accepted", kind=kind, id=task_id)
    state.progress.wait_for(task_id)
    async with state.lock:
        state.progress.start(task_id)
        state.journal.add("started", kind=kind, id=task_id)
        try:
            result = await asyncio.to_thread(work)
        except (Crashed, Refused) as error:
            state.journal.add("finished", kind=kind, id=task_id, outcome="error", why=str(error))
            raise
        state.progress.finish(task_id)
        cut = state.faults.strike("drop", where=kind) is not None
        delivered = not cut and not await request.is_disconnected()
        state.journal.add("finished", kind=kind, id=task_id, delivered=delivered, **count(result))
    if cut:
        raise Unanswered
    return result


async def _generate(request: Request, asked: Txt2Img, kind: Where) -> Response:
    state = state_of(request)
    generation.check(state, asked)
    task_id = asked.force_task_id or f"task({uuid.uuid4().hex[:15]})"

    def facts(made: generation.Made) -> dict[str, Any]:
        outcome = "interrupted" if made.interrupted else "success"
        return {"outcome": outcome, "frames": made.frames, "animated": made.animated}

    made = await _locked(
        request, task_id, kind, lambda: generation.generate(state, asked, kind), facts
    )
    garbled = state.faults.strike("garbled_info", where=kind) is not None
    return JSONResponse(generation.body(made, asked, garbled))


async def txt2img(request: Request) -> Response:
    """POST /sdapi/v1/txt2img."""
    return await _generate(request, Txt2Img.model_validate_json(await request.body()), "txt2img")


async def img2img(request: Request) -> Response:
    """POST /sdapi/v1/img2img."""
    return await _generate(request, Img2Img.model_validate_json(await request.body()), "img2img")


async def _extras(request: Request, asked: Extra, given: list[str]) -> list[str]:
    state = state_of(request)
    made = await _locked(
        request,
        f"extras({uuid.uuid4().hex[:15]})",
        "extras",
        lambda: generation.upscaled(state, asked, given),
        lambda images: {"outcome": "success", "frames": len(images)},
    )
    return [base64.b64encode(image).decode() for image in made]


async def extra_single(request: Request) -> Response:
    """POST /sdapi/v1/extra-single-image."""
    asked = ExtraSingle.model_validate_json(await request.body())
    images = await _extras(request, asked, [asked.image])
    return JSONResponse({"html_info": "", "image": images[0]})


async def extra_batch(request: Request) -> Response:
    """POST /sdapi/v1/extra-batch-images."""
    asked = ExtraBatch.model_validate_json(await request.body())
    images = await _extras(request, asked, [item.data for item in asked.imageList])
    return JSONResponse({"html_info": "", "images": images})


async def progress(request: Request) -> Response:
    """GET /sdapi/v1/progress: whatever runs, for anybody."""
    return JSONResponse(state_of(request).progress.global_answer())


async def interrupt(request: Request) -> Response:
    """POST /sdapi/v1/interrupt: the running job ends early and still answers 200."""
    state_of(request).progress.interrupted = True
    return JSONResponse({})


async def get_options(request: Request) -> Response:
    """GET /sdapi/v1/options."""
    return JSONResponse(state_of(request).options)


async def post_options(request: Request) -> Response:
    """POST /sdapi/v1/options: lasting; an unknown key is a crash."""
    state = state_of(request)
    wanted: dict[str, Any] = await request.json()
    for key, value in wanted.items():
        if key not in state.options:
            raise Crashed("KeyError", f"'{key}'")
        if key == "sd_model_checkpoint" and value not in state.installed.checkpoints:
            raise Crashed("RuntimeError", f"model {value!r} not found")
    state.options.update(wanted)
    state.saved_options.update(wanted)
    return Response("null", media_type="application/json")


async def scripts(request: Request) -> Response:
    """GET /sdapi/v1/scripts."""
    names = ["prompt matrix", "x/y/z plot"]
    if state_of(request).installed.animatediff:
        names = ["animatediff", *names]
    return JSONResponse({"txt2img": names, "img2img": names})


async def script_info(request: Request) -> Response:
    """GET /sdapi/v1/script-info."""
    installed = state_of(request).installed
    tabs: tuple[Literal["txt2img", "img2img"], ...] = ("txt2img", "img2img")
    listed = [animatediff.script_info(tab, installed.freeinit) for tab in tabs]
    return JSONResponse(listed if installed.animatediff else [])


async def sd_models(request: Request) -> Response:
    """GET /sdapi/v1/sd-models."""
    listed = [
        {"title": name, "model_name": name.rpartition(".")[0], "filename": f"/models/{name}"}
        for name in state_of(request).installed.checkpoints
    ]
    return JSONResponse(listed)


async def samplers(_: Request) -> Response:
    """GET /sdapi/v1/samplers."""
    return JSONResponse([{"name": name, "aliases": [], "options": {}} for name in SAMPLERS])


async def upscalers(_: Request) -> Response:
    """GET /sdapi/v1/upscalers."""
    return JSONResponse([{"name": name, "model_name": None, "scale": 4} for name in UPSCALERS])


async def extensions(request: Request) -> Response:
    """GET /sdapi/v1/extensions."""
    installed = state_of(request).installed
    there = {
        "sd-webui-animatediff": installed.animatediff,
        "sd-webui-deforum": installed.deforum,
        "sd-webui-controlnet": installed.controlnet,
    }
    listed = [
        {
            "name": name,
            "remote": f"https://example.invalid/{name}.git",
            "branch": "master",
            "commit_hash": "0" * 40,
            "version": "00000000",
            "commit_date": 0,
            "enabled": True,
        }
        for name, present in there.items()
        if present
    ]
    return JSONResponse(listed)


async def cmd_flags(request: Request) -> Response:
    """GET /sdapi/v1/cmd-flags: the password in clear text, as the real server shows it."""
    state = state_of(request)
    flags = {
        "api": True,
        "api_auth": state.settings.auth,
        "gradio_auth": None,
        "nowebui": not state.settings.ui,
        "deforum_api": state.installed.deforum,
        "data_dir": str(state.settings.state),
    }
    forge = {} if state.installed.flavour == "a1111" else {"forge_ref_a1111_home": None}
    return JSONResponse({**flags, **forge})


async def memory(_: Request) -> Response:
    """GET /sdapi/v1/memory."""
    return JSONResponse({"ram": {"free": 0, "used": 0, "total": 0}, "cuda": {"error": "simulated"}})


def sdapi_routes() -> list[Route]:
    """All routes under /sdapi."""
    posts = {
        "txt2img": txt2img,
        "img2img": img2img,
        "extra-single-image": extra_single,
        "extra-batch-images": extra_batch,
        "interrupt": interrupt,
        "options": post_options,
    }
    gets = {
        "progress": progress,
        "options": get_options,
        "scripts": scripts,
        "script-info": script_info,
        "sd-models": sd_models,
        "samplers": samplers,
        "upscalers": upscalers,
        "extensions": extensions,
        "cmd-flags": cmd_flags,
        "memory": memory,
    }
    return [
        *(Route(f"/sdapi/v1/{name}", route, methods=["POST"]) for name, route in posts.items()),
        *(Route(f"/sdapi/v1/{name}", route, methods=["GET"]) for name, route in gets.items()),
    ]
