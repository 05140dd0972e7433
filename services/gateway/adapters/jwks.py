"""Fetches an issuer's public keys and keeps them for a while, within bounds.

A key id that is not known is asked for again, at most twice a minute: a stranger with made-up key
ids must not make us hammer the issuer. Must not verify a token.
"""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import structlog
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

log = structlog.get_logger()

KEPT_S = 600.0
ASKED_AGAIN_AFTER_S = 30.0
ANSWER_S = 5.0
MAX_BYTES = 256 * 1024
MAX_KEYS = 50


class KeysUnavailable(RuntimeError):
    """The issuer's keys cannot be had at the moment."""


class IssuerKeys:
    """The public keys at one address, by key id. Secret (symmetric) keys are left out."""

    def __init__(self, url: str, *, asked_again_after_s: float = ASKED_AGAIN_AFTER_S) -> None:
        """Nothing is fetched before the first question."""
        self._url, self._pause_s = url, asked_again_after_s
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str) -> PyJWK | None:
        """The key with this id, None when the issuer has no such key. Raises KeysUnavailable."""
        if self._wanting(key_id):
            async with self._fetching:
                if self._wanting(key_id):
                    await self._fetch()
        if self._fetched_at == float("-inf"):
            raise KeysUnavailable(f"no keys from {self._url} yet")
        return self._keys.get(key_id)

    def _wanting(self, key_id: str) -> bool:
        clock_s = time.monotonic()
        stale = key_id not in self._keys or clock_s - self._fetched_at > KEPT_S
        return stale and clock_s - self._tried_at > self._pause_s

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            found = _key_set(await self._read())
        except (httpx.HTTPError, PyJWTError, ValueError, KeysUnavailable) as broken:
            # Keys that we have stay good: an issuer that is away must not lock everyone out.
            log.warning("issuer's keys not fetched", url=self._url, reason=repr(broken))
            return
        usable = [key for key in found.keys[:MAX_KEYS] if key.key_id and key.key_type != "oct"]
        self._keys = {str(key.key_id): key for key in usable}
        self._fetched_at = time.monotonic()

    async def _read(self) -> bytes:
        body = b""
        async with (
            httpx.AsyncClient(timeout=ANSWER_S, follow_redirects=False) as http,
            http.stream("GET", self._url, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status_code != 200:
                raise KeysUnavailable(f"answered {answer.status_code}")
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_BYTES:
                    raise KeysUnavailable("answered too much")
        return body


def _key_set(body: bytes) -> PyJWKSet:
    listed = json.loads(body)
    if not isinstance(listed, dict):
        raise KeysUnavailable("answered something else")
    return PyJWKSet.from_dict(listed)
