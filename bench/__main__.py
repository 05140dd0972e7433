"""Measures everything side by side and says how it stands: `python -m bench [--full]`.

Prints a table, and writes results.json and plot.png into the output folder. Judges by ratio where
a ratio is the goal; nothing here passes or fails a build.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench import crowd, fleet, growth, relay, rest, shelf, speed, weight
from bench.figures import Finding
from bench.machine import machine
from bench.plot import plot
from bench.stage import Stage, staged

Findings = list[Finding]
GPU_STEP_S = 0.25
"""A step of the simulated sampling where the engine stands for a GPU: a job of some seconds."""
SHORT = {
    "jobs": 25, "queued": 30, "visible": 20, "verified": 5, "viewers": 200, "burst": 40,
    "relayed": 200, "upload_mb": 200, "video_s": 10, "videos": 3, "listed": 100_000,
    "fleet": 2000, "idle_s": 20, "starts": 2,
}  # fmt: skip
FULL = {
    "jobs": 200, "queued": 100, "visible": 100, "verified": 20, "viewers": 1000, "burst": 200,
    "relayed": 1000, "upload_mb": 1024, "video_s": 30, "videos": 5, "listed": 1_000_000,
    "fleet": 2000, "idle_s": 60, "starts": 5,
}  # fmt: skip


async def on_stage(stage: Stage, n: dict[str, int], wanted: Callable[[str], bool]) -> Findings:
    """What is measured on one small-picture system, in turn."""
    found: Findings = []
    if wanted("latency"):
        found += await speed.latency(stage, n["jobs"])
    parts: dict[str, Callable[[], Awaitable[Finding]]] = {
        "gap": lambda: speed.gap(stage, n["queued"], GPU_STEP_S),
        "rush": lambda: speed.gap(stage, n["queued"], 0.0),
        "visible": lambda: speed.visible(stage, n["visible"]),
        "viewers": lambda: crowd.viewers(stage, n["viewers"]),
        "throughput": lambda: crowd.throughput(stage, n["burst"]),
        "upload": lambda: weight.big_upload(stage, n["upload_mb"]),
        "preparation": lambda: weight.preparation(stage, n["video_s"], n["videos"]),
    }
    for name, measure in parts.items():
        if wanted(name):
            found.append(await measure())
    return found


async def measure_all(n: dict[str, int], wanted: Callable[[str], bool], folder: Path) -> Findings:
    """Every wanted measurement, each on what it needs."""
    found: Findings = []
    on_small = (
        "latency",
        "gap",
        "rush",
        "visible",
        "viewers",
        "throughput",
        "upload",
        "preparation",
    )
    if any(map(wanted, on_small)):
        with staged(folder / "small") as stage:
            found += await on_stage(stage, n, wanted)
    if wanted("verification"):
        with staged(folder / "large", size=None) as stage:
            found.append(await speed.verification(stage, n["verified"]))
    if wanted("relay"):
        found.append(await relay.relay(folder, n["relayed"]))
    if wanted("listing"):
        found += await shelf.listing(folder, n["listed"])
    if wanted("growth"):
        sizes = (n["listed"] // 100, n["listed"] // 10, n["listed"])
        crowds = (n["viewers"] // 100, n["viewers"] // 10, n["viewers"])
        found += await growth.growth(folder / "growth", sizes, crowds)
    if wanted("scheduling"):
        found.append(fleet.scheduling(n["fleet"]))
    if wanted("idle"):
        found.append(await rest.idle(folder, n["idle_s"]))
    if wanted("startup"):
        found.append(await rest.startup(folder, n["starts"]))
    return found


def show(found: Findings, about: dict[str, Any], console: Console) -> None:
    """The table: goal, what was seen, and the series behind it."""
    table = Table(title=f"{about['cpu']}, {about['cores']} cores, load {about['load_1m']:.1f}")
    for column in ("what", "goal", "seen", "met"):
        table.add_column(column)
    for column in ("series", "n", "p50", "p95", "p99"):
        table.add_column(column, justify="left" if column == "series" else "right")
    for finding in found:
        met = {True: "yes", False: "no", None: "–"}[finding.met]
        first = (finding.what, finding.goal, finding.said, met)
        for number, one in enumerate(finding.series):
            lead = first if number == 0 else ("", "", "", "")
            ranks = (f"{one.at(p):.2f}" for p in (50, 95, 99))
            table.add_row(*lead, f"{one.name} [{one.unit}]", str(len(one.values)), *ranks)
        table.add_section()
    console.print(table)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that the goals speak of")
    parser.add_argument("--only", default="", help="names of measurements, with commas")
    parser.add_argument("--out", type=Path, default=Path("bench-output"))
    given = parser.parse_args()
    only = {name for name in given.only.split(",") if name}
    n = FULL if given.full else SHORT
    about = machine()
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="animatrix-bench-") as folder:
        found = uvloop.run(measure_all(n, lambda name: not only or name in only, Path(folder)))
    given.out.mkdir(parents=True, exist_ok=True)
    report = {
        "machine": about,
        "full": given.full,
        "took_s": round(time.perf_counter() - began_s, 1),
        "findings": [finding.as_data() for finding in found],
    }
    (given.out / "results.json").write_text(json.dumps(report, indent=1))
    plot(found, given.out / "plot.png")
    show(found, about, Console(width=200))
    print(f"took {report['took_s']} s; results.json and plot.png are in {given.out}")


if __name__ == "__main__":
    main()
