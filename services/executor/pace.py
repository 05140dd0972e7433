"""What a report of progress says, and how often one goes out.

Pure. A report is an estimate for people; nothing is decided by it.
"""

from __future__ import annotations

from typing import Literal

Phase = Literal["waiting", "loading", "generating", "collecting", "unreachable"]


class Throttle:
    """Lets one report through per interval, by a clock that the caller reads."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._last_s = float("-inf")

    def passes(self, now_s: float) -> bool:
        """Whether a report may go out now; if so it counts."""
        if now_s - self._last_s < self._interval_s:
            return False
        self._last_s = now_s
        return True
