"""Asks a durable consumer for one message at a time, for as long as the asker wants to wait.

Owns the requests that wait at the server: a message that comes when nobody awaits it any more is
given back at once. Must not read what a message says, nor settle one that was awaited.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import Header, StatusCode
from nats.js.errors import APIError

log = structlog.get_logger()

WAIT_S = 10.0
"""How long a request waits that has nothing else to do. Each costs the server and us as much as a
small message; one that is lost without a word, with the server that led the consumer, is missed for
so long."""
GIVEN_BACK_FOR_S = 1.0
"""How long a message that nobody awaited stays away, so that it does not come straight back."""
CLOSING_S = 2.0
_GIVES_UP_SOONER_S = 0.1
"""The server than the asker: what it still sends arrives in time."""
_NOTHING = (StatusCode.NO_MESSAGES, StatusCode.REQUEST_TIMEOUT)


class Pull:
    """The messages of one durable, one for each call of `next`; several may wait side by side."""

    def __init__(self, client: Client, stream: str, durable: str) -> None:
        """Nothing is asked for yet; the consumer must be there."""
        self._client = client
        self._ask = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._lines: list[_Line] = []
        self._closed = False

    async def next(self, timeout_s: float) -> Msg | None:
        """The next message, None after `timeout_s`, when the connection was made anew (a server
        that was started anew knows no request of before) or when this is closed.

        Cancelled, it gives back what it was just brought. Raises nats errors when the server
        refuses the request.
        """
        if self._closed:
            return None
        line = next((line for line in self._lines if not line.busy), None)
        if line is None:
            line = _Line(self._client, self._ask)
            self._lines.append(line)
        message = await line.next(timeout_s)
        status = None if message is None else _status(message)
        if message is None or status in _NOTHING:
            return None
        if status is not None:
            raise APIError.from_msg(message)
        return message

    def ask_anew(self) -> None:
        """All who wait return with nothing: their requests may be lost."""
        for line in self._lines:
            line.let_go()

    async def close(self) -> None:
        """All who wait return with nothing, and so does whoever asks later; what was on its way is
        given back. Does not raise."""
        self._closed = True
        self.ask_anew()
        await asyncio.gather(*(line.close() for line in self._lines))


class _Line:
    """A subscription with one reply subject for each request, and at most one who waits.

    A message comes under its own subject, so which request brought it cannot be told; a status
    comes under the subject of its request, and only that of the latest means something.
    """

    def __init__(self, client: Client, ask: str) -> None:
        self._client, self._ask = client, ask
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._requests = 0
        self._answer: asyncio.Future[Msg | None] | None = None

    @property
    def busy(self) -> bool:
        """Whether someone waits."""
        return self._answer is not None

    async def next(self, timeout_s: float) -> Msg | None:
        """A message or a status; None after the timeout or when let go."""
        answer = self._answer = asyncio.get_running_loop().create_future()
        given = False
        try:
            if self._subscription is None:
                self._subscription = await self._client.subscribe(
                    f"{self._inbox}.*", cb=self._arrived
                )
            self._requests += 1
            expires_s = max(timeout_s - _GIVES_UP_SOONER_S, timeout_s / 2)
            request = json.dumps({"batch": 1, "expires": int(expires_s * 1e9)}).encode()
            await self._client.publish(self._ask, request, self._latest)
            await asyncio.wait({answer}, timeout=timeout_s)
            given = True
            return answer.result() if answer.done() else None
        finally:
            self._answer = None
            if answer.done() and not given:
                await self._give_back(answer.result())

    def let_go(self) -> None:
        """Who waits returns with nothing."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    async def close(self) -> None:
        """End the subscription; what the server sent before it heard of that is given back."""
        if self._subscription is None or not self._client.is_connected:
            return
        with suppress(NatsError, asyncio.TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self._subscription.drain()  # type: ignore[no-untyped-call]

    @property
    def _latest(self) -> str:
        return f"{self._inbox}.{self._requests}"

    async def _arrived(self, message: Msg) -> None:
        if _status(message) is not None and message.subject != self._latest:
            return
        if self._answer is None or self._answer.done():
            await self._give_back(message)
        else:
            self._answer.set_result(message)

    async def _give_back(self, message: Msg | None) -> None:
        if message is None or _status(message) is not None:
            return
        log.debug("given back: nobody awaits it any more", subject=message.subject)
        with suppress(NatsError):
            await message.nak(delay=GIVEN_BACK_FOR_S)


def _status(message: Msg) -> str | None:
    """What the server says of a request, None for a message of the stream."""
    return message.headers.get(Header.STATUS) if message.headers else None
