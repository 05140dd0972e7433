"""What a measurement is: named series, their percentiles, a goal, and whether it was met.

Pure. Must not measure anything.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one thing that was measured n times, in one unit."""

    name: str
    unit: str
    values: tuple[float, ...]

    def at(self, percent: float) -> float:
        """The value that so many percent of the values do not exceed (nearest rank)."""
        ranked = sorted(self.values)
        if not ranked:
            raise ValueError(f"{self.name} was never measured")
        rank = max(1, -(-len(ranked) * percent // 100))
        return ranked[int(rank) - 1]

    def summary(self) -> dict[str, Any]:
        """n, p50, p95, p99 and max, as plain data."""
        return {
            "name": self.name,
            "unit": self.unit,
            "n": len(self.values),
            "p50": self.at(50),
            "p95": self.at(95),
            "p99": self.at(99),
            "max": max(self.values),
            "mean": statistics.fmean(self.values),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `met` is None where nothing can be said; `ratio` is against the
    first series named in `against`."""

    what: str
    goal: str
    series: tuple[Series, ...]
    met: bool | None
    said: str
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON; the values themselves are kept for the plot."""
        return {
            "what": self.what,
            "goal": self.goal,
            "met": self.met,
            "said": self.said,
            "notes": list(self.notes),
            "series": [{**s.summary(), "values": list(s.values)} for s in self.series],
            **self.extra,
        }


def series(name: str, unit: str, values: Sequence[float]) -> Series:
    """A series of values as they came."""
    return Series(name, unit, tuple(float(value) for value in values))
