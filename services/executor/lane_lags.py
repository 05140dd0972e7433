"""What waits in the lanes of an engine, asked of the bus no more often than is needed.

A lane with nothing waiting and nothing in anybody's hand is asked again when a step was heard to
become ready there, or after a while. Must not fetch anything.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from contracts.subjects import lane_consumer
from runtime import tasks
from runtime.bus import Bus, Lag
from runtime.tails import BusUnavailable

log = structlog.get_logger()

_NOTHING = Lag(0, 0, 0)


class LaneLags:
    """The lags of lanes as one engine knows them."""

    def __init__(
        self, bus: Bus, believed_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Every lane is asked first; one that was empty is believed to be for `believed_s`."""
        self._bus = bus
        self._believed_s = believed_s
        self._clock = clock
        self._empty_since: dict[str, float] = {}
        self._heard: Counter[str] = Counter()
        self._unasked: set[str] = set()

    def heard(self, lane: str) -> None:
        """A step became ready on the lane."""
        self._heard[lane] += 1

    def took(self, lane: str) -> None:
        """A step of the lane was taken: of those that were heard, one waits no more."""
        self._heard[lane] = max(0, self._heard[lane] - 1)

    def missed(self, lane: str) -> None:
        """Nothing was there to take: what is believed of the lane is wrong, and it is asked."""
        self._heard.pop(lane, None)
        self._empty_since.pop(lane, None)

    def quiet(self, lanes: Sequence[str]) -> bool:
        """Whether every lane was empty when it was asked, not long ago, and what was heard since
        has been taken: to ask what waits there would tell nothing."""
        return all(self._believed(lane) == _NOTHING for lane in lanes)

    async def of(self, lanes: Sequence[str], held: Mapping[str, int]) -> dict[str, Lag]:
        """What waits in each lane, and what others have in hand or gave back; the steps that the
        asker holds itself, so many of each lane, are no news."""
        unknown = [lane for lane in lanes if self._believed(lane) is None]
        asked = await tasks.side_by_side(*(self._of(lane, held.get(lane, 0)) for lane in unknown))
        lags = dict(zip(unknown, asked, strict=True))
        return {lane: lags.get(lane) or self._believed(lane) or _NOTHING for lane in lanes}

    def _believed(self, lane: str) -> Lag | None:
        """What is known of a lane: empty not long ago, and what was heard since; else None."""
        if self._clock() - self._empty_since.get(lane, float("-inf")) >= self._believed_s:
            return None
        return Lag(self._heard[lane], 0, 0)

    async def _of(self, lane: str, held: int) -> Lag:
        self._heard.pop(lane, None)
        asked_at = self._clock()
        lag = await self._ask(lane)
        if lag is None:
            return _NOTHING
        if lag.pending == lag.ack_pending == 0:
            self._empty_since[lane] = asked_at
        return replace(lag, ack_pending=max(0, lag.ack_pending - held))

    async def _ask(self, lane: str) -> Lag | None:
        try:
            lag = await self._bus.consumer_lag(lane_consumer(lane))
        except BusUnavailable as trouble:
            if lane not in self._unasked:
                log.warning("lane cannot be asked", lane=lane, reason=str(trouble))
            self._unasked.add(lane)
            return None
        self._unasked.discard(lane)
        return lag
