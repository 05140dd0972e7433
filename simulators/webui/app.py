"""Builds the application and serves it.

Owns the process: the listening socket, the port file, the password, how errors leave and how
it ends. SIGTERM ends it at once with whatever runs.
"""

import asyncio
import base64
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.webui import answers
from simulators.webui.answers import Crashed, Refused
from simulators.webui.control import control_routes
from simulators.webui.deforum import Deforum
from simulators.webui.deforum_routes import deforum_routes
from simulators.webui.pages import page_routes
from simulators.webui.sdapi import Unanswered, sdapi_routes, state_of
from simulators.webui.settings import Settings, read_settings
from simulators.webui.state import State, build


async def _refused(request: Request, fault: Exception) -> Response:
    told = fault if isinstance(fault, Refused) else Refused(500, str(fault))
    return answers.refused(told, state_of(request).installed.flavour)


async def _crashed(request: Request, fault: Exception) -> Response:
    kind = fault.kind if isinstance(fault, Crashed) else type(fault).__name__
    return answers.crashed(kind, str(fault), state_of(request).installed.flavour)


async def _misshapen(_: Request, fault: Exception) -> Response:
    if not isinstance(fault, ValidationError):
        raise fault
    return answers.misshapen(fault)


class _Cut(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promises a body and sends none: the server then closes the connection."""
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _cut(_: Request, __: Exception) -> Response:
    return _Cut()


async def _not_found(_: Request, __: Exception) -> Response:
    return answers.not_found()


class _Gate:
    """The outermost layer: the password and ordered HTTP faults."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/simulator"):
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"].startswith("/sdapi") and not self._let_in(Headers(scope=scope)):
            headers = {"WWW-Authenticate": "Basic"}
            return JSONResponse({"detail": "Incorrect username or password"}, 401, headers)
        fault = self._state.faults.strike_path(scope["path"])
        return None if fault is None else PlainTextResponse("ordered fault", fault.status)

    def _let_in(self, headers: Headers) -> bool:
        auth = self._state.settings.auth
        if auth is None:
            return True
        expected = "Basic " + base64.b64encode(auth.encode()).decode()
        return secrets.compare_digest(headers.get("authorization", ""), expected)


def build_app(state: State, ready: Callable[[], None] = lambda: None) -> ASGIApp:
    """The ASGI application of one simulator; ``ready`` is called when it can serve."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ready()
        yield

    pages = page_routes(state.settings.ui)
    app = Starlette(
        routes=[*control_routes(), *sdapi_routes(), *deforum_routes(), *pages],
        lifespan=lifespan,
        exception_handlers={
            Refused: _refused,
            Crashed: _crashed,
            ValidationError: _misshapen,
            Unanswered: _cut,
            404: _not_found,
        },
    )
    app.state.simulator = state
    app.state.deforum = Deforum(state)
    return _Gate(app, state)


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends at once, as a killed server does."""
        os._exit(0)

    async def main_loop(self) -> None:
        """Makes the Date header anew now and then; whoever ends the process does not ask."""
        while True:
            await self.on_tick(0)
            await asyncio.sleep(10.0)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((host, port))
    opened.listen(512)
    return opened


def _write_port(path: Path, port: int) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(f"{port}\n")
    part.replace(path)


def serve(settings: Settings) -> None:
    """Serves until the process is ended. The first line on stdout is the URL."""
    opened = _listening(settings.host, settings.port)
    port = opened.getsockname()[1]
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    state = build(settings)
    state.journal.add("boot", port=port)

    def ready() -> None:
        sys.stdout.write(f"simulated WebUI at http://{shown}:{port}\n")
        sys.stdout.flush()
        if settings.port_file is not None:
            _write_port(settings.port_file, port)

    config = uvicorn.Config(
        build_app(state, ready), log_level="critical", lifespan="on", server_header=False
    )
    _Server(config).run(sockets=[opened])


def main(argv: Sequence[str] | None = None) -> None:
    """The command ``python -m simulators.webui``."""
    serve(read_settings(argv))
