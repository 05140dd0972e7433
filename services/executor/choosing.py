"""Which lane to serve next: the warm one for a turn, then the one that has waited longest.

Pure. Changing the workflow family costs an engine minutes of loading. Giving way to every lane
that has waited too long changes it with every job once all of them have (measured: more loads than
first come, first served), so a lane that was loaded keeps its turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LaneWait:
    """A lane with work, and for how many seconds its oldest step is known to wait."""

    lane: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class Warmth:
    """What an engine has loaded and for how many seconds it has served it in a row, and what other
    engines that answer have loaded."""

    lane: str | None = None
    served_s: float = 0.0
    elsewhere: frozenset[str] = frozenset()


def lane_order(
    waits: Iterable[LaneWait], warmth: Warmth, patience_s: float, turn_s: float
) -> tuple[str, ...]:
    """Lanes in the order to try; one that is left out is not to be taken now.

    The warm lane keeps its turn for `turn_s`, then yields to lanes that have waited `patience_s`,
    the longest wait first. A lane that another engine has loaded is left to that engine until it
    has waited `patience_s`: loading it here too would rarely bring it sooner. So no lane waits
    longer than `patience_s`, plus `turn_s` and a load for every other lane, plus what runs.
    """
    longest_first = sorted(waits, key=lambda w: (w.lane in warmth.elsewhere, -w.waited_s, w.lane))
    rest = [
        w
        for w in longest_first
        if w.lane != warmth.lane and (w.waited_s >= patience_s or w.lane not in warmth.elsewhere)
    ]
    overdue = [w.lane for w in rest if w.waited_s >= patience_s]
    others = [w.lane for w in rest if w.waited_s < patience_s]
    warm = [w.lane for w in longest_first if w.lane == warmth.lane]
    if warmth.served_s < turn_s:
        return (*warm, *overdue, *others)
    return (*overdue, *warm, *others)


class Turn:
    """Since when an engine has had its present lane loaded, by a clock that the caller reads."""

    def __init__(self) -> None:
        self._lane: str | None = None
        self._since_s = 0.0

    def served_s(self, warm: str | None, now_s: float) -> float:
        """Seconds since the warm lane was first seen to be this one."""
        if warm != self._lane:
            self._lane, self._since_s = warm, now_s
        return now_s - self._since_s


class WaitingSince:
    """Remembers since when each lane has had work, by a clock that the caller reads."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def seen(self, lanes_with_work: Iterable[str], now_s: float) -> tuple[LaneWait, ...]:
        """Takes note of the lanes with work now; lanes without are forgotten."""
        self._since = {lane: self._since.get(lane, now_s) for lane in lanes_with_work}
        return tuple(LaneWait(lane, now_s - since) for lane, since in self._since.items())

    def served(self, lane: str) -> None:
        """A step of the lane was taken: what is left there waits from now on."""
        self._since.pop(lane, None)
