"""Builds the application and serves it.

Owns the process: the listening socket, the port file, how it ends. SIGTERM ends it at
once with whatever runs, as it ends the real server.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from simulators.comfyui.control import control_routes
from simulators.comfyui.gates import BodyTooLarge, Gate
from simulators.comfyui.routes import TROUBLE, routes
from simulators.comfyui.settings import Settings, read_settings
from simulators.comfyui.state import State, build


async def _trouble(_: Request, __: Exception) -> Response:
    return PlainTextResponse(TROUBLE, 500)


async def _too_large(request: Request, _: Exception) -> Response:
    limit = request.app.state.simulator.settings.max_upload_bytes
    return PlainTextResponse(f"Maximum request body size {limit} exceeded.", 413)


def build_app(state: State, ready: Callable[[], None] = lambda: None) -> ASGIApp:
    """The ASGI application of one simulator; ``ready`` is called when its worker runs."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        publishing = asyncio.create_task(state.hub.publish())
        state.executor.start()
        ready()
        yield
        publishing.cancel()

    app = Starlette(
        routes=[*control_routes(), *routes()],
        lifespan=lifespan,
        exception_handlers={Exception: _trouble, BodyTooLarge: _too_large},
    )
    app.state.simulator = state
    return Gate(app, state.faults, state.settings.max_upload_bytes)


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends at once: no waiting for open sockets or for the running prompt."""
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
        sys.stdout.write(f"simulated ComfyUI at http://{shown}:{port}\n")
        sys.stdout.flush()
        if settings.port_file is not None:
            _write_port(settings.port_file, port)

    config = uvicorn.Config(
        build_app(state, ready),
        log_level="warning",
        ws="websockets-sansio",
        ws_ping_interval=None,
        ws_max_size=settings.max_upload_bytes,
        timeout_keep_alive=75,
        lifespan="on",
        server_header=False,
    )
    _Server(config).run(sockets=[opened])


def main(argv: Sequence[str] | None = None) -> None:
    """The command ``python -m simulators.comfyui``."""
    serve(read_settings(argv))
