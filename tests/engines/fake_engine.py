"""A small scripted engine on a free port, for answers that a well-behaved server never gives.

Owns the default answers of an idle ComfyUI and lets a test replace any of them. It runs in a
thread with its own event loop, so that a blocked client cannot hide behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

Answer = Callable[[Request], Awaitable[Response]]
Talk = Callable[[WebSocket], Awaitable[None]]
PROMPT_ID = "6f1c6a5e-0d6d-4d5a-8c57-0d5f4a0e9b11"


@dataclass
class Seen:
    """One request as the engine saw it; `size_bytes` counts a body that was not kept."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    size_bytes: int = 0

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeEngine:
    """Running and pending ids, history entries and scripted answers, free to be changed."""

    port: int = 0
    running: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    entries: dict[str, Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    talk: Talk | None = None
    handshakes: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, answer: Response | Answer) -> None:
        """Replaces the answer to one method and path."""
        if isinstance(answer, Response):
            fixed = answer

            async def give(_: Request) -> Response:
                return fixed

            self.answers[method, path] = give
        else:
            self.answers[method, path] = answer

    def paths(self, method: str | None = None) -> list[str]:
        """Paths asked for, in order."""
        return [s.path for s in self.seen if method is None or s.method == method]

    def first(self, path: str) -> Seen:
        return next(s for s in self.seen if s.path == path)

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        seen = Seen(request.method, path, dict(request.query_params), dict(request.headers))
        if path == "/upload/image":
            async for chunk in request.stream():
                seen.size_bytes += len(chunk)
                if len(seen.body) < 4096:
                    seen.body += chunk
        else:
            seen.body = await request.body()
        self.seen.append(seen)
        scripted = self.answers.get((request.method, path))
        if scripted is not None:
            return await scripted(request)
        return self._idle(request.method, path, seen)

    def _idle(self, method: str, path: str, seen: Seen) -> Response:
        if path == "/queue" and method == "GET":
            return JSONResponse(
                {
                    "queue_running": [[0, p, {}, {}, []] for p in self.running],
                    "queue_pending": [[n + 1, p, {}, {}, []] for n, p in enumerate(self.pending)],
                }
            )
        if path.startswith("/history/"):
            prompt_id = path.rpartition("/")[2]
            entry = self.entries.get(prompt_id)
            return JSONResponse({prompt_id: entry} if entry else {})
        if path == "/prompt" and method == "POST":
            prompt_id = seen.json()["prompt_id"]
            self.pending.append(prompt_id)
            return JSONResponse({"prompt_id": prompt_id, "number": 3, "node_errors": {}})
        if path == "/queue":
            self.pending = [p for p in self.pending if p not in seen.json()["delete"]]
            return Response()
        if path == "/interrupt":
            self.running = [p for p in self.running if p != seen.json()["prompt_id"]]
            return Response()
        return Response("404: Not Found", status_code=404)

    async def websocket(self, ws: WebSocket) -> None:
        self.handshakes.append(dict(ws.headers))
        if self.talk is None:
            await ws.close()
            return
        await ws.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self.talk(ws)

    def app(self) -> Starlette:
        methods = ["GET", "POST", "HEAD"]
        return Starlette(
            routes=[
                WebSocketRoute("/ws", self.websocket),
                Route("/{rest:path}", self.answer, methods=methods),
            ]
        )

    @contextlib.contextmanager
    def up(self) -> Iterator[FakeEngine]:
        """Serves until the context is left; the port is kept for the next time."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self.app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=0
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        while not server.started:
            threading.Event().wait(0.005)
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(10)
            listening.close()


def success(*files: str, **outputs: Any) -> dict[str, Any]:
    """A history entry of a prompt that succeeded, node 9 having made these files."""
    images = [{"filename": name, "subfolder": "", "type": "output"} for name in files]
    return entry("success", ["execution_success", {"timestamp": 20}], {"9": {"images": images}})


def entry(status: str, last: list[Any], outputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """A history entry whose last message is `last`."""
    return {
        "prompt": [0, PROMPT_ID, {}, {}, []],
        "outputs": outputs or {},
        "status": {
            "status_str": status,
            "completed": status == "success",
            "messages": [
                ["execution_start", {"prompt_id": PROMPT_ID, "timestamp": 10}],
                ["execution_cached", {"nodes": ["1"], "prompt_id": PROMPT_ID, "timestamp": 11}],
                last,
            ],
        },
        "meta": {},
    }
