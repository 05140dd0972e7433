"""The near side of the sandbox: sends tasks to the fork server and hands back what came of them.

Owns the server process (started when first needed, again when it died, ended with this process).
Must not decode anything.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Reply = dict[str, Any]


class SandboxLost(Exception):
    """The fork server died; the task may be tried again."""


class SandboxBroken(Exception):
    """The decoder child ended in a way that says nothing about the file; may be tried again."""


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What one child may use. It can open no file, write only its outputs and reach no network."""

    deadline_s: float
    cpu_s: int
    address_space_bytes: int
    output_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended: its reply if it gave one, else why it did not."""

    reply: Reply | None
    signal: int | None
    exit_code: int | None
    out_of_time: bool


class Sandbox:
    """A handle to one fork server; safe to use from any event loop and thread."""

    def __init__(self, tasks: str = "runtime.sandbox.tasks") -> None:
        """Start nothing yet. `tasks` is the module of what a child can be asked to do: it has
        `preload()` and `perform()` like the default one."""
        self._tasks = tasks
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._pending: dict[int, tuple[subprocess.Popen[bytes], Future[ChildEnd]]] = {}
        self._process: subprocess.Popen[bytes] | None = None

    async def run(
        self,
        task: str,
        reads: Sequence[Path],
        limits: ChildLimits,
        *,
        writes: Sequence[Path] = (),
        parameters: dict[str, Any] | None = None,
    ) -> ChildEnd:
        """Do one task on files in a child of its own.

        `writes` are files that the child may write (made anew). A child that cannot open its files
        ends with a status. Raises SandboxLost when the server died. Cancelling kills the child.
        """
        number, future = await asyncio.to_thread(
            self._send, _request(task, reads, limits, writes, parameters)
        )
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            with contextlib.suppress(SandboxLost):
                await asyncio.shield(asyncio.to_thread(self._write, {"cancel": number}))
            raise

    def close(self) -> None:
        """End the server and every child."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=5)

    def _send(self, request: dict[str, Any]) -> tuple[int, Future[ChildEnd]]:
        future: Future[ChildEnd] = Future()
        with self._lock:
            process = self._running()
            number = next(self._ids)
            self._pending[number] = (process, future)
        try:
            self._write({"id": number, **request})
        except SandboxLost:
            self._pending.pop(number, None)
            raise
        return number, future

    def _write(self, message: dict[str, Any]) -> None:
        with self._lock:
            process = self._process
            if process is None or process.stdin is None:
                raise SandboxLost("the sandbox is closed")
            try:
                process.stdin.write(json.dumps(message).encode() + b"\n")
                process.stdin.flush()
            except OSError as error:
                raise SandboxLost("the sandbox server does not take tasks") from error

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", "runtime.sandbox.server", self._tasks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_bare_environment(),
            cwd="/",
            start_new_session=True,
        )
        threading.Thread(
            target=self._read, args=(self._process,), name="sandbox-replies", daemon=True
        ).start()
        return self._process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            message = json.loads(line)
            _, future = self._pending.pop(message["id"], (process, None))
            if future is not None and future.set_running_or_notify_cancel():
                future.set_result(ChildEnd(**message["end"]))
        process.wait()
        with self._lock:
            lost = [n for n, (owner, _) in self._pending.items() if owner is process]
            futures = [self._pending.pop(n)[1] for n in lost]
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_exception(SandboxLost(f"server ended with {process.returncode}"))


def _request(
    task: str,
    reads: Sequence[Path],
    limits: ChildLimits,
    writes: Sequence[Path],
    parameters: dict[str, Any] | None,
) -> dict[str, Any]:
    return {
        "task": task,
        "reads": [str(path.absolute()) for path in reads],
        "writes": [str(path.absolute()) for path in writes],
        "limits": asdict(limits),
        "parameters": parameters or {},
    }


def _bare_environment() -> dict[str, str]:
    # No secret of the service reaches the process that decodes hostile bytes.
    root = str(Path(__file__).resolve().parents[2])
    return {
        "PATH": os.defpath,
        "PYTHONPATH": root,
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }


SANDBOX = Sandbox()
"""The one in which this process decodes media."""

atexit.register(SANDBOX.close)
