"""A client's place in the fan-out: what waits for it, and how it hears that nothing does.

Must not know how events come, or how they are sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from contracts.events import Progress
from services.gateway.told import Told

ITEMS_AT_MOST = 500
"""More than that waits for nobody: its client is too slow."""

Sign = Literal["silence", "end"]
SILENCE: Sign = "silence"
END: Sign = "end"


@dataclass(slots=True, eq=False)
class Subscription:
    """A client's place in the fan-out: one job or all (None), of one owner or of all (None).

    `items` ends with a sign when it is cut off; `heard_s` is when something came last, by the
    clock of the loop.
    """

    job_id: str | None
    owner: str | None
    items: asyncio.Queue[Told | Progress | Sign] = field(
        default_factory=lambda: asyncio.Queue(ITEMS_AT_MOST)
    )
    heard_s: float = 0.0

    def hear(self, item: Told | Progress, at_s: float) -> None:
        """Take what came. Raises asyncio.QueueFull when its client reads too slowly."""
        self.items.put_nowait(item)
        self.heard_s = at_s

    @contextmanager
    def broken_silence(self, silence_s: float) -> Iterator[None]:
        """A sign among the items whenever nothing came for so long.

        One timer that looks when it is due: a timeout around each wait costs more than the event.
        """
        loop = asyncio.get_running_loop()
        self.heard_s = loop.time()
        timer: asyncio.TimerHandle

        def look() -> None:
            nonlocal timer
            if self.heard_s + silence_s <= loop.time():
                if self.items.empty():
                    self.items.put_nowait(SILENCE)
                self.heard_s = loop.time()
            timer = loop.call_at(self.heard_s + silence_s, look)

        timer = loop.call_later(silence_s, look)
        try:
            yield
        finally:
            timer.cancel()
