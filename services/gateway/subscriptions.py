"""A client's place in the fan-out: what waits for it, and how it hears that nothing does.

Must not know how events come, or how they are sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.events import Progress
from services.gateway.told import Told

ITEMS_AT_MOST = 500
"""More than that waits for nobody: its client is too slow."""


class TooSlow(Exception):
    """More waits for a client than it will ever catch up with."""


class Subscription:
    """A client's place in the fan-out: one job or all (None), of one owner or of all (None).

    Made for many: an event wakes whoever waits, and costs no timer and no task.
    """

    def __init__(self, job_id: str | None, owner: str | None) -> None:
        """Nothing waits yet."""
        self.job_id = job_id
        self.owner = owner
        self._waiting: list[Told | Progress] = []
        self._awaited: asyncio.Future[None] | None = None
        self._silent = False
        self._ended = False
        self._heard_s = 0.0

    @property
    def waiting(self) -> int:
        """How many events its client has not taken yet."""
        return len(self._waiting)

    def hear(self, item: Told | Progress, at_s: float) -> None:
        """Take what came, at a time of the loop's clock. Raises TooSlow."""
        if len(self._waiting) >= ITEMS_AT_MOST:
            raise TooSlow
        self._waiting.append(item)
        self._heard_s = at_s
        self._wake()

    def end(self) -> None:
        """Nothing more comes; what waits is still told."""
        self._ended = True
        self._wake()

    async def news(self) -> list[Told | Progress] | None:
        """All that waits, in order, as soon as anything does; an empty list when silence was
        broken, None at the end."""
        if not (self._waiting or self._silent or self._ended):
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited
        if self._ended and not self._waiting:
            return None
        items, self._waiting, self._silent = self._waiting, [], False
        return items

    @contextmanager
    def broken_silence(self, silence_s: float) -> Iterator[None]:
        """Inside, `news` come up empty whenever nothing came for so long.

        One timer that looks when it is due: a timeout around each wait costs more than the event.
        """
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        timer: asyncio.TimerHandle

        def look() -> None:
            nonlocal timer
            if self._heard_s + silence_s <= loop.time():
                self._silent, self._heard_s = True, loop.time()
                self._wake()
            timer = loop.call_at(self._heard_s + silence_s, look)

        timer = loop.call_later(silence_s, look)
        try:
            yield
        finally:
            timer.cancel()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
