"""Simulators forked from one process per test process that has loaded them (cli.nursery): a start
costs a fork, not a second.

Each is still a process of its own, with its own port, folder and state, and can be killed like any
other; all end with the process that forked them. `python -m simulators…` itself is what the system
tests and tests/simulators/test_process.py start.
"""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOADED = ("simulators.comfyui.app", "simulators.webui.app")
READY_WITHIN_S = 30.0
LOOK_EVERY_S = 0.005


class Forked:
    """A process that the nursery forked; it is asked, signalled and awaited like a Popen."""

    def __init__(self, nursery: _Nursery, pid: int) -> None:
        """Made by `start_listening`."""
        self.pid = pid
        self._nursery = nursery

    def poll(self) -> int | None:
        """How it ended, or None; a signal that ended it is negative."""
        return self._nursery.code_of(self.pid)

    def wait(self, timeout: float) -> int:
        """How it ended, within `timeout` seconds. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout)
            time.sleep(LOOK_EVERY_S)
        return code

    def send_signal(self, number: int) -> None:
        """Signals it unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class _Nursery:
    """The side that asks, for tests that have no event loop."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "cli.nursery", *LOADED]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._pending = b""
        self._ended: dict[int, int] = {}

    def fork(self, argv: Sequence[str], log: Path) -> Forked:
        """A child that is what `python -m argv[0]` would be, with this process's environment."""
        assert self._process.stdin is not None
        told = {"argv": list(argv), "env": dict(os.environ), "log": str(log)}
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            for said in self._hear(READY_WITHIN_S):
                # Numbers of processes are used again.
                self._ended.pop(said["pid"], None)
                return Forked(self, said["pid"])
        raise RuntimeError("the process that forks simulators does not answer")

    def code_of(self, pid: int) -> int | None:
        """How a child ended, None while it lives."""
        self._hear(0)
        return self._ended.get(pid)

    def _hear(self, within_s: float) -> list[dict[str, Any]]:
        """What was said but ends, which are noted. Raises RuntimeError when nobody speaks."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], within_s)[0]:
            return []
        heard = os.read(self._process.stdout.fileno(), 65536)
        if not heard:
            raise RuntimeError("the process that forks simulators has ended")
        *lines, self._pending = (self._pending + heard).split(b"\n")
        said = [json.loads(line) for line in lines]
        self._ended |= {one["pid"]: one["ended"] for one in said if "ended" in one}
        return [one for one in said if "ended" not in one]


@functools.cache
def _nursery() -> _Nursery:
    return _Nursery()


def start_listening(
    module: str, state: Path, arguments: Sequence[str], port_file: Path
) -> tuple[Forked, int]:
    """Starts a simulator and waits for its port. Raises RuntimeError with what it printed."""
    port_file.unlink(missing_ok=True)
    log = state.with_name(f"{state.name}.log")
    told = ("--state", str(state), "--port-file", str(port_file))
    process = _nursery().fork((module, *told, *arguments), log)
    until = time.monotonic() + READY_WITHIN_S
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise RuntimeError(f"the simulator did not start: {log.read_text()[-2000:]}")
        time.sleep(LOOK_EVERY_S)
    return process, int(port_file.read_text())
