"""Sends one webhook: looks the name up, checks the addresses, connects to the checked one.

No redirect is followed and no proxy used. The body of an answer is read no further than an excerpt.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

import httpx

from runtime.stamp import now
from services.gateway.webhooks.targets import Network, TargetRefused, checked, shape_of
from services.gateway.webhooks.verdicts import Attempt

EXCERPT_BYTES = 1000
LookUp = Callable[[str, int], Awaitable[list[str]]]


async def look_up(host: str, port: int) -> list[str]:
    """Every address of a host. Raises OSError when there is none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class WebhookPost:
    """Posts to receivers. `allowed` are networks that are not public but may be sent to."""

    def __init__(
        self,
        allowed: Sequence[Network],
        timeout_s: float,
        *,
        find: LookUp = look_up,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`timeout_s` bounds everything from the look-up to the excerpt of the answer."""
        self._allowed = tuple(allowed)
        self._timeout_s = timeout_s
        self._find = find
        self._trust = trust

    async def target(self, url: str) -> str:
        """The address that a URL leads to now. Raises TargetRefused."""
        scheme, host, port = shape_of(url)
        try:
            found = await self._find(host, port)
        except (OSError, UnicodeError) as unknown:
            raise TargetRefused("The host name leads nowhere.") from unknown
        return checked(scheme, found, self._allowed)

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        """What became of one POST; never raises for what a receiver does."""
        at, began = now(), time.monotonic()
        status, text, error = None, "", None
        try:
            async with asyncio.timeout(self._timeout_s):
                status, text = await self._send(url, headers, body)
        except TimeoutError:
            error = f"no answer within {self._timeout_s:g} s"
        except TargetRefused as refused:
            error = str(refused)
        except httpx.HTTPError as broken:
            error = f"{type(broken).__name__}: {broken}"[:300]
        latency_ms = round((time.monotonic() - began) * 1000)
        return Attempt(at, latency_ms, status, text, error)

    async def _send(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        address = await self.target(url)
        named = httpx.URL(url)
        # The name was looked up once, above: what was checked is what is connected to.
        pinned = named.copy_with(host=address)
        extensions = {} if _is_address(named.host) else {"sni_hostname": named.host}
        sent = {**headers, "Host": named.netloc.decode("ascii")}
        async with (
            httpx.AsyncClient(
                verify=self._tls(named.scheme),
                trust_env=False,
                follow_redirects=False,
                timeout=self._timeout_s,
            ) as http,
            http.stream(
                "POST", pinned, headers=sent, content=body, extensions=extensions
            ) as answer,
        ):
            excerpt = b""
            async for piece in answer.aiter_raw():
                excerpt += piece
                if len(excerpt) >= EXCERPT_BYTES:
                    break
            return answer.status_code, _readable(excerpt[:EXCERPT_BYTES])

    def _tls(self, scheme: str) -> ssl.SSLContext:
        """Reading the system's authorities takes a while: once, when the first https target comes.

        An http target needs none; the empty context trusts nobody.
        """
        if scheme != "https":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._trust = self._trust or ssl.create_default_context()
        return self._trust


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _readable(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
