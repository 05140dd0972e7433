"""A receiver of webhooks: a real HTTP server on loopback that answers as the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
import uvicorn
from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook as Verifier

from runtime.http_server import listen

Answer = Callable[[Request], Awaitable[Response]]


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def fine(_: Request) -> Response:
    """200."""
    return Response("thank you")


@dataclass
class Receiver:
    """What came in, and how it is answered from now on."""

    port: int = 0
    answer: Answer = fine
    certificate: trustme.LeafCert | None = None
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """The webhook-id of everything that came."""
        return [headers["webhook-id"] for headers, _ in self.got]

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """Everything that came, as the library of the specification verifies it."""
        return [Verifier(secret).verify(body, headers) for headers, body in self.got]

    def answers(self, status: int, body: str = "no", **headers: str) -> None:
        """Answer like this from now on."""

        async def answer(_: Request) -> Response:
            return Response(body, status, headers)

        self.answer = answer

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        """Listen, on the port of before if there was one."""
        app = FastAPI()

        @app.post("/hook")
        async def hook(request: Request) -> Response:
            self.got.append((dict(request.headers), await request.body()))
            return await self.answer(request)

        sock = listen("127.0.0.1", self.port)
        self.port = sock.getsockname()[1]
        with self._pem() as pem:
            config = uvicorn.Config(
                app, log_config=None, ssl_certfile=pem, timeout_graceful_shutdown=1
            )
            server = _Server(config)
            serving = asyncio.create_task(server.serve(sockets=[sock]))
            try:
                yield self
            finally:
                server.should_exit = True
                await serving

    @contextmanager
    def _pem(self) -> Iterator[str | None]:
        if self.certificate is None:
            yield None
            return
        with self.certificate.private_key_and_cert_chain_pem.tempfile() as path:
            yield path
