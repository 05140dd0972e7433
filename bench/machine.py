"""What the figures were measured on, and what its disk costs: the floor under every durable step.

Must not know the product.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figures import Series, series

FSYNCS = 100
FSYNC_PAUSE_S = 0.01
_PAGE = b"x" * 600


def machine() -> dict[str, Any]:
    """Processor, cores, memory and load at this moment."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_kb = int(Path("/proc/meminfo").read_text().split(maxsplit=2)[1])
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kb / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_1m": os.getloadavg()[0],
    }


def fsync_cost(folder: Path, times: int = FSYNCS) -> Series:
    """Milliseconds of one append of 600 bytes with fsync, in a folder of the measured system.

    With the pause that lies between two facts of a job: right after another, a sync finds the disk
    awake and its journal in hand, and takes a quarter to half of the time (seen: 0.09 ms instead
    of 0.33, and 0.18 instead of 0.34).
    """
    values = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(times):
            time.sleep(FSYNC_PAUSE_S)
            began_s = time.perf_counter()
            file.write(_PAGE)
            file.flush()
            os.fsync(file.fileno())
            values.append((time.perf_counter() - began_s) * 1000)
    return series("append + fsync, 10 ms apart", "ms", values)


def tree_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, open_ = [], [pid]
    while open_:
        one = open_.pop()
        found.append(one)
        open_ += children.get(one, [])
    return found


def pss_mb(pids: list[int]) -> float:
    """Proportional memory of the processes together, in MB; those that ended count nothing."""
    total_kb = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        line = next((part for part in rollup.splitlines() if part.startswith("Pss:")), "Pss: 0 kB")
        total_kb += int(line.split()[1])
    return total_kb / 1024


def cpu_s(pids: list[int]) -> float:
    """Processor seconds that the processes have used so far."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory of one process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
