"""HTTP to one engine: connections, retries of idempotent requests, errors of ours.

Owns every httpx call. It knows statuses and broken connections but no route of any engine;
what an answer means is for the callers.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from .address import EngineAddress
from .backoff import Backoff
from .errors import EngineRefused, EngineUnreachable, ProtocolError, excerpt

MOST_BODY_BYTES = 128 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
_BUSY = frozenset({429, 502, 503, 504})
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """What `on_request` is told after every request; `status` is None where none came."""

    method: str
    path: str
    status: int | None
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer in memory: status, body and content type."""

    status: int
    body: bytes
    content_type: str

    def text(self) -> str:
        """The body as a short line for error messages."""
        return excerpt(self.body[:4096].decode("utf-8", "replace"))


OnRequest = Callable[[RequestSeen], None]


class Transport:
    """Sends requests to one engine.

    Two connection pools: idempotent requests reuse kept-alive connections (one that broke,
    as all do when an engine restarts, is replaced once at once); requests that must not be
    repeated get a fresh connection each, so that a stale one cannot make them uncertain.
    """

    def __init__(
        self, address: EngineAddress, *, tries: int, backoff: Backoff, on_request: OnRequest | None
    ) -> None:
        self.engine = address.base_url
        self._tries = tries
        self._backoff = backoff
        self._on_request = on_request
        times = address.timeouts
        timeout = httpx.Timeout(
            connect=times.connect_s, read=times.read_s, write=times.write_s, pool=times.pool_s
        )
        # an http engine needs no authorities; the empty context trusts nobody
        tls = address.tls() or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        headers = {"Accept-Encoding": "identity", **address.request_headers()}

        def pool(kept_alive: int) -> httpx.AsyncClient:
            # trust_env off: an engine is where its address says, and .netrc is no business of it
            return httpx.AsyncClient(
                base_url=address.base_url,
                headers=headers,
                timeout=timeout,
                verify=tls,
                limits=httpx.Limits(max_connections=32, max_keepalive_connections=kept_alive),
                trust_env=False,
                follow_redirects=False,
            )

        self._kept = pool(8)
        self._fresh = pool(0)

    async def close(self) -> None:
        """Closes all connections."""
        await self._kept.aclose()
        await self._fresh.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        known: Collection[int] = (),
    ) -> Answer:
        """An idempotent request, tried again with backoff; the answer is below 500.

        Raises EngineUnreachable when no try was answered, EngineRefused on 401 and 403,
        ProtocolError on a redirect, an oversize body or another 5xx; `known` statuses return
        all the same, for a caller that can tell what they mean.
        """
        replaced = False
        attempt = 0
        while True:
            told: httpx.HTTPError | None = None
            try:
                answer = await self._whole(self._kept, method, path, params=params, body=body)
            except httpx.HTTPError as error:
                if isinstance(error, _BROKEN) and not replaced:
                    replaced = True
                    continue
                told, failure = error, self._unreachable(method, path, error)
                if not isinstance(error, (*_BROKEN, *_NEVER_SENT)):
                    raise failure from error
            else:
                if answer.status in known:
                    return answer
                if answer.status not in _BUSY:
                    return self._accepted(method, path, answer)
                cause = f"{method} {path}: {answer.status} {answer.text()}"
                failure = EngineUnreachable(self.engine, cause)
            attempt += 1
            if attempt >= self._tries:
                raise failure from told
            await asyncio.sleep(self._backoff.delay_s(attempt - 1))

    async def ask_json(
        self, path: str, *, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """GET of a JSON object. Raises as `ask`, and ProtocolError for anything else."""
        answer = await self.ask("GET", path, params=params)
        return self.json_object("GET", path, answer)

    async def send_once(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
        most_bytes: int = MOST_BODY_BYTES,
    ) -> Answer:
        """A request that is sent at most once, on a fresh connection; any status returns.

        `read_s` replaces the address's read timeout for an answer that takes its time, and
        `most_bytes` bounds its body. Raises EngineUnreachable when it was certainly not sent,
        ProtocolError for a longer body; httpx.HTTPError otherwise, for the caller to say what
        that means.
        """
        try:
            return await self._whole(
                self._fresh,
                method,
                path,
                body=body,
                content=content,
                headers=headers,
                read_s=read_s,
                most_bytes=most_bytes,
            )
        except _NEVER_SENT as unsent:
            raise self._unreachable(method, path, unsent) from unsent

    @asynccontextmanager
    async def stream(
        self, path: str, *, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """GET whose body is read by the caller while the context is open.

        Raises as `ask`, without a retry; a break while reading is the caller's httpx.HTTPError.
        """
        started = time.perf_counter()
        status: int | None = None
        request = self._fresh.build_request("GET", path, params=params, headers=dict(headers))
        try:
            try:
                response = await self._fresh.send(request, stream=True)
            except httpx.HTTPError as broken:
                raise self._unreachable("GET", path, broken) from broken
            status = response.status_code
            try:
                if status not in (200, 206):
                    self._accepted("GET", path, Answer(status, b"", ""))
                yield response
            finally:
                await response.aclose()
        finally:
            self._seen("GET", path, status, started)

    def json_object(self, method: str, path: str, answer: Answer) -> dict[str, Any]:
        """The body of a 200 as a JSON object; ProtocolError otherwise."""
        found = self.json_value(method, path, answer)
        if not isinstance(found, dict):
            raise ProtocolError(self.engine, f"{method} {path}: not a JSON object")
        return found

    def json_value(self, method: str, path: str, answer: Answer) -> Any:
        """The body of a 200 as any JSON; ProtocolError otherwise."""
        if answer.status != 200:
            cause = f"{method} {path}: unexpected {answer.status}: {answer.text()}"
            raise ProtocolError(self.engine, cause)
        try:
            return json.loads(answer.body)
        except ValueError as error:
            cause = f"{method} {path}: not JSON: {answer.text()}"
            raise ProtocolError(self.engine, cause) from error

    def raise_if_barred(self, method: str, path: str, answer: Answer) -> None:
        """Raises EngineRefused for a 401 or 403."""
        if answer.status in (401, 403):
            why = "credentials missing or wrong" if answer.status == 401 else "access not allowed"
            cause = f"{method} {path}: {answer.status}, {why}"
            raise EngineRefused(self.engine, cause, answer.status)

    def _accepted(self, method: str, path: str, answer: Answer) -> Answer:
        self.raise_if_barred(method, path, answer)
        if answer.status in _BUSY:
            cause = f"{method} {path}: {answer.status} {answer.text()}"
            raise EngineUnreachable(self.engine, cause)
        if answer.status >= 500 or 300 <= answer.status < 400:
            cause = f"{method} {path}: unexpected {answer.status}: {answer.text()}"
            raise ProtocolError(self.engine, cause)
        return answer

    async def _whole(
        self,
        pool: httpx.AsyncClient,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
        most_bytes: int = MOST_BODY_BYTES,
    ) -> Answer:
        started = time.perf_counter()
        status: int | None = None
        request = pool.build_request(
            method, path, params=params, json=body, content=content, headers=headers
        )
        if read_s is not None:
            request.extensions["timeout"]["read"] = read_s
        try:
            response = await pool.send(request, stream=True)
            try:
                status = response.status_code
                data = await self._limited(response, most_bytes)
                return Answer(status, data, response.headers.get("content-type", ""))
            finally:
                await response.aclose()
        finally:
            self._seen(method, path, status, started)

    async def _limited(self, response: httpx.Response, most_bytes: int) -> bytes:
        gathered = bytearray()
        async for chunk in response.aiter_bytes():
            gathered += chunk
            if len(gathered) > most_bytes:
                cause = f"an answer of more than {most_bytes} bytes"
                raise ProtocolError(self.engine, cause)
        return bytes(gathered)

    def _unreachable(self, method: str, path: str, error: Exception) -> EngineUnreachable:
        cause = f"{method} {path}: {type(error).__name__} {error}".rstrip()
        return EngineUnreachable(self.engine, cause)

    def _seen(self, method: str, path: str, status: int | None, started: float) -> None:
        if self._on_request is not None:
            elapsed_s = time.perf_counter() - started
            self._on_request(RequestSeen(method, path, status, elapsed_s))
