"""How long to wait before the next try: bounded, growing, jittered. The only place for it.

Owns the arithmetic alone; it never sleeps and never decides whether a try is allowed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_dice = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `first_s` up to `most_s`, each spread over its upper half.

    Jitter keeps many clients of one restarted engine from returning in step; the lower
    half is never used, so that a delay cannot shrink to nothing.
    """

    first_s: float
    most_s: float

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.most_s:
            raise ValueError("a backoff needs 0 < first_s <= most_s")

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait after failed try number `attempt` (from 0); at most `most_s`."""
        ceiling = min(self.most_s, self.first_s * 2.0 ** min(attempt, 32))
        return _dice.uniform(ceiling / 2, ceiling)
