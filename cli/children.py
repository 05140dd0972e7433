"""One supervised program: started, watched until ready, started again when it dies, stopped.

Owns the restart rule. Must not know which programs there are or in which order they go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from cli import tether
from cli.logfiles import rotate
from cli.nursery import Nursery
from cli.processes import ProcessRecord, start_time_of

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
STEADY_AFTER_S = 10.0
"""A program that lived this long is not failing all the time: its next restart is quick."""
READY_POLL_S = 0.05
READY_ANSWER_WITHIN_S = 3.0
KILLED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A program to keep running. `env` is its whole environment.

    It is ready when `ready_url` answers 200 (at once without one) and then `on_ready` returned;
    both happen again after every restart.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    ready_url: str | None = None
    on_ready: Callable[[], Awaitable[None]] | None = None
    ports: tuple[tuple[str, int], ...] = ()


class Process(Protocol):
    """A running program, however it was started."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        ...

    def kill(self) -> None:
        """SIGKILL. Raises ProcessLookupError when it is gone."""
        ...

    def terminate(self) -> None:
        """SIGTERM. Raises ProcessLookupError when it is gone."""
        ...

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        ...


class Backoff:
    """How long to wait before the next start: short at first, longer while it keeps dying."""

    def __init__(self) -> None:
        """Nothing has died yet."""
        self._next_s = FIRST_DELAY_S

    def delay_s(self, lived_s: float) -> float:
        """The wait after a program that lived so long, in seconds."""
        if lived_s >= STEADY_AFTER_S:
            self._next_s = FIRST_DELAY_S
        delay, self._next_s = self._next_s, min(self._next_s * 2, LONGEST_DELAY_S)
        return delay


class Child:
    """Keeps the program of a spec running until it is stopped."""

    def __init__(
        self,
        spec: ChildSpec,
        on_change: Callable[[], None] = lambda: None,
        nursery: Nursery | None = None,
    ) -> None:
        """Nothing is started. `on_change` is called when the process or its readiness changed.

        With a nursery, a module that Python is to run is forked from it.
        """
        self.spec = spec
        self._nursery = nursery
        self.ready = asyncio.Event()
        self.record: ProcessRecord | None = None
        self.starts = 0
        self.deaths_before_ready = 0
        self.last_exit: int | None = None
        self.problem: str | None = None
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._process: Process | None = None

    @property
    def restarts(self) -> int:
        """How often the program was started again."""
        return max(0, self.starts - 1)

    async def keep_running(self) -> None:
        """Start the program, again whenever it ends, until `stop`."""
        backoff = Backoff()
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._process = process = await self._start()
            except OSError as refused:
                self.problem, self.deaths_before_ready = str(refused), self.deaths_before_ready + 1
                await self._pause(backoff.delay_s(0))
                continue
            if self._stopping.is_set():
                process.kill()
            becoming_ready = asyncio.create_task(self._become_ready())
            self.last_exit = await process.wait()
            becoming_ready.cancel()
            if not self.ready.is_set():
                self.deaths_before_ready += 1
            self.ready.clear()
            self.record = None
            self._on_change()
            if not self._stopping.is_set():
                await self._pause(backoff.delay_s(time.monotonic() - started))

    async def stop(self, within_s: float) -> bool:
        """SIGTERM, and SIGKILL after `within_s` seconds; False when it had to be killed."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        if await _ended(process, within_s):
            return True
        self.kill()
        await _ended(process, KILLED_WITHIN_S)
        return False

    def kill(self) -> None:
        """SIGKILL at once, without starting again."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _start(self) -> Process:
        rotate(self.spec.log)
        if self._nursery is not None and self.spec.argv[:2] == (sys.executable, "-m"):
            process: Process = await self._nursery.fork(
                self.spec.argv[2:], self.spec.env, self.spec.log
            )
        else:
            process = await self._execute()
        self.starts += 1
        started = start_time_of(process.pid) or ""
        self.record = ProcessRecord(process.pid, started, self.spec.argv)
        self._on_change()
        return process

    async def _execute(self) -> asyncio.subprocess.Process:
        command = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.spec.argv)
        with self.spec.log.open("ab") as output:
            # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which
            # then stops everything in order.
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self.spec.env),
                start_new_session=True,
            )

    async def _become_ready(self) -> None:
        if self.spec.ready_url is not None:
            await self._until_answered(self.spec.ready_url)
        if self.spec.on_ready is not None:
            try:
                await self.spec.on_ready()
            except Exception as broken:
                # The child is of no use without it: end it, so that it is tried again.
                self.problem = f"{type(broken).__name__}: {broken}"
                if self._process is not None:
                    self._process.kill()
                return
        self.problem = None
        self.ready.set()
        self._on_change()

    async def _until_answered(self, url: str) -> None:
        async with httpx.AsyncClient(timeout=READY_ANSWER_WITHIN_S, trust_env=False) as client:
            while True:
                try:
                    answer = await client.get(url)
                except httpx.TransportError:
                    self.problem = "it does not answer yet"
                else:
                    if answer.status_code == 200:
                        return
                    self.problem = answer.text[:500]
                await asyncio.sleep(READY_POLL_S)

    async def _pause(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_s)


async def _ended(process: Process, within_s: float) -> bool:
    try:
        await asyncio.wait_for(process.wait(), within_s)
    except TimeoutError:
        return False
    return True
