"""How long a step will run, learnt from past runs of the same workflow and profile. Pure.

Run time only: what a step waited for is kept apart. Times are taken as log-normal, because engines
are late far more often than early; with few runs the spread is widened towards a guess, and without
any there is no estimate. Must not read anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

COVERED_Z = 1.645
"""Nine in ten runs are to fall within an interval."""
GUESSED_SPREAD, GUESS_WORTH_RUNS = 0.35, 4
"""The spread (of logarithms) assumed before there is data, and how many runs it counts as."""
LENGTH_SPREAD = 0.3
"""What scaling a run of another length adds to the spread, per logarithm of the ratio."""
NEAR, NEAR_ENOUGH = 1.25, 3


@dataclass(frozen=True, slots=True)
class Run:
    """A past step: its length in frames and how many seconds it ran."""

    frames: float
    ran_s: float


@dataclass(frozen=True, slots=True)
class RunTime:
    """What one step will take. `center` and the spreads are of logarithms of seconds.

    `spread` is that of single runs, `doubt` the uncertainty of the center itself.
    """

    center: float
    spread: float
    doubt: float
    runs: int

    @property
    def mean_s(self) -> float:
        """The expected time."""
        return math.exp(self.center + self.spread**2 / 2)

    @property
    def deviation_s(self) -> float:
        """The standard deviation of one run around it."""
        return self.mean_s * math.sqrt(math.expm1(self.spread**2))


def estimate(runs: Iterable[Run], frames: float) -> RunTime | None:
    """The run time of a step of so many frames; None without data.

    Three runs of about the same length are better evidence than many of another.
    """
    usable = [run for run in runs if run.ran_s > 0 and run.frames > 0]
    near = [run for run in usable if 1 / NEAR <= run.frames / frames <= NEAR]
    chosen = near if len(near) >= NEAR_ENOUGH else usable
    if not chosen:
        return None
    logs = [math.log(run.ran_s * frames / run.frames) for run in chosen]
    center, count = median(logs), len(logs)
    seen = 1.4826 * median(abs(one - center) for one in logs)
    guess = GUESS_WORTH_RUNS * GUESSED_SPREAD**2
    stretch = LENGTH_SPREAD * median(abs(math.log(frames / run.frames)) for run in chosen)
    spread = math.sqrt((guess + count * seen**2) / (GUESS_WORTH_RUNS + count) + stretch**2)
    return RunTime(center, spread, 1.25 * spread / math.sqrt(count), count)


@dataclass(frozen=True, slots=True)
class Interval:
    """From low to high, in seconds."""

    low_s: float
    high_s: float


def together(steps: Sequence[RunTime], elapsed_s: Sequence[float] = ()) -> Interval:
    """What these steps take one after the other; the first ones have run for `elapsed_s` already.

    The doubt about a center is shared by all steps, so it does not average out.
    """
    if not steps:
        return Interval(0.0, 0.0)
    mean = variance = doubt = 0.0
    for place, step in enumerate(steps):
        already = elapsed_s[place] if place < len(elapsed_s) else 0.0
        left = max(step.mean_s - already, 0.1 * step.mean_s)
        mean += left
        variance += step.deviation_s**2
        doubt += step.mean_s * step.doubt
    spread = math.sqrt(math.log1p((variance + doubt**2) / mean**2))
    center = math.log(mean) - spread**2 / 2
    reach = COVERED_Z * spread
    return Interval(math.exp(center - reach), math.exp(center + reach))
