"""Forks programs from a process that has loaded what they share, so that none loads it again.

`python -m cli.nursery MODULE…` is that process: it imports the modules and, for every line on its
stdin, forks a child that becomes `python -m PROGRAM`. `Nursery` is the supervisor's side of it.
The children are processes like any other, each with an environment, a log and a session of its
own, and the kernel kills them when the nursery dies. Must not know which programs there are, and
must load nothing that starts a thread: a fork takes only one along.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from setproctitle import setproctitle

from cli import tether
from cli.tether import PR_SET_PDEATHSIG


@dataclass(eq=False)
class Forked:
    """A forked child, with as much of asyncio's Process as a supervisor needs."""

    pid: int
    _ended: asyncio.Future[int] = field(default_factory=lambda: asyncio.Future[int]())

    @property
    def returncode(self) -> int | None:
        """What `wait` returns; None while the child lives."""
        return self._ended.result() if self._ended.done() else None

    def kill(self) -> None:
        """SIGKILL. Raises ProcessLookupError when it is gone."""
        os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM. Raises ProcessLookupError when it is gone."""
        os.kill(self.pid, signal.SIGTERM)

    async def wait(self) -> int:
        """Its exit code; minus the signal's number when one ended it."""
        return await asyncio.shield(self._ended)

    def end(self, returncode: int) -> None:
        """Takes note of its end."""
        self._ended.set_result(returncode)


class Nursery:
    """Starts the forking process when the first child is wanted, and again should it die."""

    def __init__(self, modules: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Nothing is started. `env` is that process's own; a child gets another, whole."""
        self._argv = (sys.executable, "-m", "cli.nursery", *modules)
        self._env, self._log = dict(env), log
        self._process: asyncio.subprocess.Process | None = None
        self._wishes: asyncio.StreamWriter | None = None
        self._starting = asyncio.Lock()
        self._hearing: asyncio.Task[None] | None = None
        self._living: dict[int, Forked] = {}
        self._wanted: list[asyncio.Future[Forked]] = []

    async def fork(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Forked:
        """A child that is what `python -m argv[0]` would be. Raises OSError when none is made."""
        async with self._starting:
            if (
                self._wishes is None
                or self._process is None
                or self._process.returncode is not None
            ):
                self._wishes = await self._start()
            wanted: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
            self._wanted.append(wanted)
            told = {"argv": list(argv), "env": dict(env), "log": str(log)}
            self._wishes.write(json.dumps(told).encode() + b"\n")
        return await wanted

    async def stop(self) -> None:
        """End the process, and with it whatever child is left."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._hearing is not None:
            await asyncio.gather(self._hearing, return_exceptions=True)

    async def _start(self) -> asyncio.StreamWriter:
        if self._hearing is not None:
            await asyncio.gather(self._hearing, return_exceptions=True)
        with self._log.open("ab") as complaints:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self._argv),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                env=self._env,
                start_new_session=True,
            )
        if process.stdin is None or process.stdout is None:
            raise OSError("a process without the pipes that were asked for")
        self._hearing = asyncio.create_task(self._hear(process.stdout))
        return process.stdin

    async def _hear(self, answers: asyncio.StreamReader) -> None:
        # Wishes are answered in their order.
        while line := await answers.readline():
            told = json.loads(line)
            if "ended" in told:
                self._living.pop(told["pid"]).end(told["ended"])
            elif "refused" in told:
                self._answer(OSError(told["refused"], os.strerror(told["refused"])))
            else:
                self._answer(Forked(told["pid"]))
        gone = OSError(f"the process that starts the others ended; its log: {self._log}")
        while self._wanted:
            self._answer(gone)
        for child in self._living.values():
            child.end(-signal.SIGKILL)
        self._living.clear()

    def _answer(self, answer: Forked | OSError) -> None:
        wanted = self._wanted.pop(0)
        if isinstance(answer, OSError):
            if not wanted.cancelled():
                wanted.set_exception(answer)
            return
        self._living[answer.pid] = answer
        if wanted.cancelled():
            with suppress(ProcessLookupError):
                answer.kill()
        else:
            wanted.set_result(answer)


def _become(told: Mapping[str, Any], nursery: int, inherited: Sequence[int]) -> None:
    """The child: leaves everything of the nursery behind and runs the module as a program."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != nursery:
        os._exit(1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nowhere, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    for left in (nowhere, log, *inherited):
        os.close(left)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # The title takes the place of the environment that the process began with: that goes after.
    setproctitle(" ".join((sys.executable, "-m", *told["argv"])))
    os.environ.clear()
    os.environ.update(told["env"])
    sys.argv = list(told["argv"])
    code: Any = 1
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _say(**told: int) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(pid=pid, ended=os.waitstatus_to_exitcode(status))


def _fork(line: bytes, inherited: Sequence[int]) -> None:
    nursery = os.getpid()
    try:
        pid = os.fork()
    except OSError as refused:
        _say(refused=refused.errno or 0)
        return
    if pid == 0:
        _become(json.loads(line), nursery, inherited)
    _say(pid=pid)


def main(modules: Sequence[str]) -> None:
    """Forks as stdin asks, until it is closed."""
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is shared with the children stays shared
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pending = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury()
        if 0 not in ready:
            continue
        read = os.read(0, 65536)
        if not read:
            return
        *lines, pending = (pending + read).split(b"\n")
        for line in lines:
            _fork(line, (woken, waker))


if __name__ == "__main__":
    main(sys.argv[1:])
