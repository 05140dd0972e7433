"""Processes by more than their number: a process id is used again, its start time is not.

Owns how a process is recognised and how a stranger's is left alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GONE_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process of ours: its id, when it was started (as the system counts), its command."""

    pid: int
    started: str
    argv: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the state file."""
        return {"pid": self.pid, "started": self.started, "argv": list(self.argv)}


def record_from(found: Any) -> ProcessRecord | None:
    """The record in a piece of a state file, or None when it is none."""
    if not isinstance(found, dict):
        return None
    pid, started, argv = found.get("pid"), found.get("started"), found.get("argv")
    if not (isinstance(pid, int) and isinstance(started, str) and isinstance(argv, list)):
        return None
    return ProcessRecord(pid, started, tuple(str(part) for part in argv))


def start_time_of(pid: int) -> str | None:
    """When the process started, in the system's own terms; None when there is none."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The program's name, in brackets, may hold spaces; field 22 is the start time.
            return stat.read_text().rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            return None
    return _ps(pid, "lstart=")


def command_of(pid: int) -> str | None:
    """The process's command line with single spaces; None when there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return None
        return " ".join(raw.decode(errors="replace").split("\0")).strip() or None
    return _ps(pid, "command=")


def _ps(pid: int, column: str) -> str | None:
    answer = subprocess.run(["ps", "-p", str(pid), "-o", column], capture_output=True, check=False)
    return answer.stdout.decode(errors="replace").strip() or None


def is_ours(record: ProcessRecord) -> bool:
    """Whether the process lives and is the recorded one."""
    if start_time_of(record.pid) != record.started:
        return False
    command = command_of(record.pid)
    return command is not None and command.endswith(" ".join(record.argv[1:]))


def end_leftovers(records: Iterable[ProcessRecord]) -> list[ProcessRecord]:
    """SIGKILL to those that live and are ours, and wait until they are gone; returns them."""
    ours = [record for record in records if is_ours(record)]
    for record in ours:
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGKILL)
    deadline = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < deadline and any(is_ours(record) for record in ours):
        time.sleep(0.02)
    return ours
