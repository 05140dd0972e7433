"""What the system costs when nothing happens, and how soon it is ready."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from bench.figures import Finding, series
from bench.machine import cpu_s, pss_mb, tree_of
from tests.support.system import System


async def idle(folder: Path, seconds: float) -> Finding:
    """Processor and memory of all processes of an embedded system at rest."""
    system = System(folder / "idle", {"COMFYUI_SIMULATOR_SPEED": "0"})
    system.start()
    try:
        await asyncio.sleep(5)
        pids = tree_of(_supervisor(system))
        before_s = cpu_s(pids)
        await asyncio.sleep(seconds)
        share = 100 * (cpu_s(pids) - before_s) / seconds
        memory_mb = pss_mb(pids)
    finally:
        system.stop()
    return Finding(
        "the system at rest, all processes",
        "≤ 2 % of a core, ≤ 600 MB PSS",
        (series("processor", "%", [share]), series("memory", "MB", [memory_mb])),
        share <= 2 and memory_mb <= 600,
        f"{share:.1f} % of a core, {memory_mb:.0f} MB in {len(pids)} processes",
    )


def _supervisor(system: System) -> int:
    """The process that started all others: also the parent of the nats-server."""
    return int(json.loads((system.var / "run" / "state.json").read_text())["pid"])


async def startup(folder: Path, times: int) -> Finding:
    """From the command to the line that says it is ready, data from the last time there."""
    system, taken_s = System(folder / "startup", {"COMFYUI_SIMULATOR_SPEED": "0"}), []
    for _ in range(times + 1):
        system.start()
        taken_s.append(system.ready_after_s)
        system.stop()
    found = series("ready after", "s", taken_s[1:])
    return Finding(
        "`make run` to ready, set up",
        "≤ 6 s",
        (found,),
        found.at(95) <= 6,
        f"p50 {found.at(50):.1f} s, the first time {taken_s[0]:.1f} s",
    )
