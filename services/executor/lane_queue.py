"""Takes the next step from a lane, in fair turns between owners.

Owns every fetch. Who waits is read from the stream, which takes nothing. The head of the queue is
taken when it is its owner's turn; else steps are fetched until one's turn it is, that one is kept
and the others go back as they were. Whose turn it is, is decided in `turns`. A step that an engine
has begun is looked for apart, because no other engine can go on with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from contracts.events import StepReady
from contracts.subjects import lane_consumer
from runtime.bus import Bus
from runtime.delivery import SHUTDOWN_NAK_DELAY_S, Delivery
from runtime.tails import BusUnavailable
from services.executor.turns import Turns

log = structlog.get_logger()

FETCH_TIMEOUT_S = 0.3
LOOK_TIMEOUT_S = 0.5
"""How long nothing must come before the queue counts as looked through."""
LOOK_AGAIN_S = 60.0
"""A look that a slow moment cut short is made good after this time at the latest."""
LOOK_AT_MOST = 500
"""Half of what the server lets be in hand at once, so that others can fetch meanwhile."""
OURS_AT_MOST = 8
"""How many steps are looked at for one that is ours: what others need is not held up for long."""


def owner_of(delivery: Delivery) -> str:
    """Whose step it is; those without an owner share one turn."""
    return delivery.event.owner if isinstance(delivery.event, StepReady) else ""


class LaneQueue:
    """The lanes as one process takes from them; its engines share the turns."""

    def __init__(self, bus: Bus) -> None:
        """Nothing is fetched before it is asked for."""
        self._bus = bus
        self._looking = asyncio.Lock()
        self._looked_at: dict[str, float] = {}
        self.turns = Turns()

    async def next(self, lane: str, waiting: int) -> Delivery | None:
        """The step of the lane to run next, None when there is none.

        `waiting` is about how many there are: one alone has no need of turns.
        """
        async with self._looking:
            head = await self._fetch(lane, FETCH_TIMEOUT_S)
            if head is None:
                return None
            self._forget_old_looks(lane)
            taken = head
            if waiting > 1:
                if not self.turns.knows(lane):
                    await self._look(lane, head)
                if not self.turns.is_turn_of(lane, owner_of(head)):
                    taken = await self._fairest(lane, head)
            self.turns.took(owner_of(taken))
            return taken

    async def ours(
        self, lane: str, is_ours: Callable[[Delivery], Awaitable[bool]]
    ) -> Delivery | None:
        """A step of the lane that was taken up before and is the asker's, None when none is found.

        What comes again comes before what is new: the first new one ends the look, and all that
        is not ours goes back as it was. It takes nobody's turn.
        """
        held: list[Delivery] = []
        async with self._looking:
            try:
                while len(held) < OURS_AT_MOST:
                    one = await self._fetch(lane, FETCH_TIMEOUT_S)
                    if one is None:
                        break
                    held.append(one)
                    if one.delivered == 1:
                        break
                    if await is_ours(one):
                        return held.pop()
                return None
            finally:
                for one in held:
                    await one.give_back()

    async def _look(self, lane: str, head: Delivery) -> None:
        """Finds out who waits without taking anything: what a killed process has in hand is
        missing for the length of an ack wait."""
        since = self.turns.heard_so_far
        try:
            waiting = await self._bus.undelivered(lane_consumer(lane), LOOK_AT_MOST)
        except BusUnavailable as trouble:
            log.warning("the head of the lane goes first", lane=lane, reason=str(trouble))
            waiting = []
        owners = [event.owner for event in waiting if isinstance(event, StepReady)]
        self.turns.looked(lane, [owner_of(head), *(owner or "" for owner in owners)], since)
        self._looked_at[lane] = asyncio.get_running_loop().time()

    async def _fairest(self, lane: str, head: Delivery) -> Delivery:
        """The first step whose owner's turn it is, else the best of all; the others go back."""
        held, taken, since = [head], None, self.turns.heard_so_far
        try:
            while len(held) < LOOK_AT_MOST and taken is None:
                one = await self._fetch(lane, LOOK_TIMEOUT_S)
                if one is None:
                    self.turns.looked(lane, map(owner_of, held), since)
                    self._looked_at[lane] = asyncio.get_running_loop().time()
                    break
                held.append(one)
                taken = one if self.turns.is_turn_of(lane, owner_of(one)) else None
            if taken is None:
                taken = held[self.turns.pick([owner_of(one) for one in held])]
            return taken
        finally:
            for one in held:
                if one is not taken:
                    await one.give_back()

    def _forget_old_looks(self, lane: str) -> None:
        looked_at = self._looked_at.get(lane)
        now = asyncio.get_running_loop().time()
        if looked_at is not None and now - looked_at > LOOK_AGAIN_S:
            del self._looked_at[lane]
            self.turns.forget(lane)

    async def _fetch(self, lane: str, timeout_s: float) -> Delivery | None:
        """A fetch that is never cut short: what it brought while we stop is given back at once."""
        fetching = asyncio.create_task(
            self._bus.fetch(lane_consumer(lane), timeout_s), name=f"fetch {lane}"
        )
        try:
            return await asyncio.shield(fetching)
        except asyncio.CancelledError:
            delivery = await fetching
            if delivery is not None:
                await delivery.nak(SHUTDOWN_NAK_DELAY_S)
            raise
