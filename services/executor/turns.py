"""Whose turn it is: the waiting owner who was served longest ago; within an owner, the oldest step.

Pure. One per process, shared by its engines. What it believes about who waits may be wrong, never
harmful: a look at the queue corrects it, and a process that dies takes only the order with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Turns:
    """Remembers who was served when, and who is believed to wait on which lane."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0
        self._known: set[str] = set()
        self._waiting: dict[str, dict[str, int]] = {}
        self.heard_so_far = 0

    def heard(self, lane: str, owner: str) -> None:
        """A step of the owner became ready on the lane."""
        self.heard_so_far += 1
        self._waiting.setdefault(lane, {})[owner] = self.heard_so_far

    def is_turn_of(self, lane: str, owner: str) -> bool:
        """Whether nobody believed to wait on the lane was served longer ago than this owner.

        False as long as the lane was never looked through, because anybody may wait there.
        """
        if lane not in self._known:
            return False
        others = self._waiting.get(lane, {})
        return all(self._last(owner) <= self._last(other) for other in others)

    def knows(self, lane: str) -> bool:
        """Whether the lane was looked through."""
        return lane in self._known

    def pick(self, owners: Sequence[str]) -> int:
        """Which of the waiting steps goes next, given their owners in the order they wait."""
        return min(range(len(owners)), key=lambda place: (self._last(owners[place]), place))

    def looked(self, lane: str, owners: Iterable[str], since: int) -> None:
        """The lane was looked through to its end: these owners wait there, and whoever was heard
        since the look began (`since` is what `heard_so_far` was then); no others."""
        later = {o: n for o, n in self._waiting.get(lane, {}).items() if n > since}
        self._waiting[lane] = {**dict.fromkeys(owners, since), **later}
        self._known.add(lane)

    def forget(self, lane: str) -> None:
        """Who waits on the lane is no longer known; who was served when, still is."""
        self._known.discard(lane)

    def took(self, owner: str) -> None:
        """A step of the owner was taken up: its next turn comes after everyone else's."""
        self._count += 1
        self._served[owner] = self._count

    def _last(self, owner: str) -> int:
        return self._served.get(owner, 0)
