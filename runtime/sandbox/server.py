"""The fork server: a bare, single-threaded process with what its tasks need loaded (`python -m`).

Its one argument is the module of the tasks.

Reads tasks as JSON lines on stdin, forks one confined child for each, kills it when its time is
up, and writes how it ended to stdout. Ends, with all children, when stdin closes. Must not touch
media itself: everything hostile happens after the fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import selectors
import signal
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, cast

from runtime import garbage

_MAX_REPLY_BYTES = 64 * 1024
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


@dataclass(slots=True)
class _Child:
    number: int
    pid: int
    pipe: int
    deadline: float
    reply: bytes = b""
    out_of_time: bool = False


class _Tasks(Protocol):
    """A module of tasks."""

    def preload(self) -> None: ...

    def perform(
        self, task: str, reads: list[int], writes: list[int], parameters: dict[str, Any]
    ) -> dict[str, Any]: ...


class _Server:
    def __init__(self, tasks: _Tasks) -> None:
        self._tasks = tasks
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Child] = {}
        self._input = b""
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def serve(self) -> None:
        os.set_blocking(0, False)
        self._selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select(self._until_next_deadline()):
                if key.fd == 0:
                    if not self._read_input():
                        self._kill_all()
                        return
                else:
                    self._read_child(self._children[key.fd])
            self._kill_late()

    def _until_next_deadline(self) -> float | None:
        waits = [c.deadline - time.monotonic() for c in self._children.values()]
        return max(0.0, min(waits)) if waits else None

    def _read_input(self) -> bool:
        data = os.read(0, 1 << 16)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "cancel" in message:
                self._kill_number(message["cancel"])
            else:
                self._start(message)
        return bool(data)

    def _start(self, message: dict[str, Any]) -> None:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            _run_child(self._tasks, message, write_end, self._libc)
        os.close(write_end)
        deadline = time.monotonic() + message["limits"]["deadline_s"]
        self._children[read_end] = _Child(message["id"], pid, read_end, deadline)
        self._selector.register(read_end, selectors.EVENT_READ)

    def _read_child(self, child: _Child) -> None:
        data = os.read(child.pipe, 1 << 16)
        child.reply += data
        if len(child.reply) > _MAX_REPLY_BYTES:
            self._kill(child)
            data = b""
        if not data:
            self._finish(child)

    def _finish(self, child: _Child) -> None:
        self._selector.unregister(child.pipe)
        os.close(child.pipe)
        del self._children[child.pipe]
        self._kill(child)
        _, status = os.waitpid(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        reply = _parsed(child.reply)
        end = {
            "reply": reply,
            "signal": -code if code < 0 and reply is None else None,
            "exit_code": code if code >= 0 else None,
            "out_of_time": child.out_of_time and reply is None,
        }
        os.write(1, json.dumps({"id": child.number, "end": end}).encode() + b"\n")

    def _kill_late(self) -> None:
        now = time.monotonic()
        for child in [c for c in self._children.values() if c.deadline <= now]:
            child.out_of_time = True
            self._kill(child)
            self._finish(child)

    def _kill_number(self, number: int) -> None:
        for child in [c for c in self._children.values() if c.number == number]:
            self._kill(child)

    def _kill_all(self) -> None:
        for child in self._children.values():
            self._kill(child)

    def _kill(self, child: _Child) -> None:
        # The status of a child that is already exiting is not changed by this; one that gave its
        # reply and stays is not waited for.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)


def _parsed(reply: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(reply)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _run_child(
    tasks: _Tasks, message: dict[str, Any], write_end: int, libc: ctypes.CDLL | None
) -> None:
    status = 1
    try:
        reads = [os.open(path, os.O_RDONLY) for path in message["reads"]]
        made_anew = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        writes = [os.open(path, made_anew, 0o600) for path in message["writes"]]
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        highest = _close_all_but({*reads, *writes, write_end})
        _confine(message["limits"], highest, libc)
        reply = tasks.perform(message["task"], reads, writes, message["parameters"])
        os.write(write_end, json.dumps(reply).encode())
        status = 0
    finally:
        os._exit(status)


def _close_all_but(kept: set[int]) -> int:
    # Neither the pipes of other children nor the server's own descriptors are this one's business.
    for low, high in pairwise(sorted({2, *kept})):
        os.closerange(low + 1, high)
    os.closerange(max(kept) + 1, os.sysconf("SC_OPEN_MAX"))
    return max(kept)


def _confine(limits: dict[str, Any], highest_fd: int, libc: ctypes.CDLL | None) -> None:
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0)
    # The demuxer duplicates the descriptor of the source once: nothing else can be opened.
    for what, soft, hard in (
        (resource.RLIMIT_NOFILE, highest_fd + 2, highest_fd + 2),
        (resource.RLIMIT_CPU, limits["cpu_s"], limits["cpu_s"] + 5),
        (resource.RLIMIT_FSIZE, limits["output_bytes"], limits["output_bytes"]),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_AS, limits["address_space_bytes"], limits["address_space_bytes"]),
    ):
        with contextlib.suppress(ValueError):
            resource.setrlimit(what, (soft, hard))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chosen = cast(_Tasks, importlib.import_module(sys.argv[1]))
    chosen.preload()
    garbage.settle()  # a child that looked through what is loaded would copy it all
    _Server(chosen).serve()
