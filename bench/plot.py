"""Draws every series as a cumulative curve, one small picture for each finding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

from bench.figures import Finding

matplotlib.use("Agg")

import matplotlib.pyplot as plt

COLUMNS = 3


def plot(found: Sequence[Finding], target: Path) -> None:
    """A PNG with the share of values below each value; single values are bars."""
    rows = max(1, -(-len(found) // COLUMNS))
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(6 * COLUMNS, 3.5 * rows), squeeze=False)
    places = [place for row in axes for place in row]
    for place, finding in zip(places, found, strict=False):
        if all(len(one.values) == 1 for one in finding.series):
            names = [f"{one.name} [{one.unit}]" for one in finding.series]
            place.barh(names, [one.values[0] for one in finding.series])
        else:
            for one in finding.series:
                ranked = sorted(one.values)
                shares = [100 * (n + 1) / len(ranked) for n in range(len(ranked))]
                place.step(ranked, shares, where="post", label=f"{one.name} [{one.unit}]")
            place.legend(fontsize="x-small")
            place.set_ylabel("% of values")
        place.set_title(finding.what, fontsize="small")
    for place in places[len(found) :]:
        place.set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=110)
    plt.close(figure)
