"""Processes beside those of `animatrix up`: engines and further replicas, started again when dead.

Owns their arguments and environment. It knows nothing of faults.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from cli import tether
from cli.children import Process
from cli.nursery import Nursery
from tests.support.ports import free_port
from tests.support.system import System
from tests.support.waiting import eventually

AGAIN_AFTER_S = 0.2
SIMULATOR = "simulators.comfyui"


class Part:
    """One process that is started again whenever it ends, until it is closed."""

    def __init__(
        self,
        name: str,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        log: Path,
        nursery: Nursery | None = None,
    ) -> None:
        """Nothing is started. `argv` is a module and its arguments; `env` comes on top of ours.

        With a nursery, which has loaded the module, it is forked there.
        """
        self.name = name
        self._nursery = nursery
        self._argv = argv
        self._env = {**os.environ, **env}
        self._log = log
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process now running, if any."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def open(self) -> None:
        """Start it and keep it running."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End it for good."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self.pid is not None and self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _keep(self) -> None:
        while True:
            self._process = await self._start()
            await self._process.wait()
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _start(self) -> Process:
        if self._nursery is not None:
            return await self._nursery.fork(self._argv, self._env, self._log)
        # Tethered, so that nothing outlives a driver that is killed.
        command = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()))
        with self._log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *(*command, sys.executable, "-m", *self._argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._env,
                start_new_session=True,
            )


@asynccontextmanager
async def kept(*parts: Part) -> AsyncIterator[None]:
    """The parts run while the block does."""
    for part in parts:
        part.open()
    try:
        yield
    finally:
        await asyncio.gather(*(part.close() for part in parts))


class Engine(Part):
    """A simulated ComfyUI on a port and a folder that it keeps over its deaths."""

    def __init__(
        self, name: str, folder: Path, step_s: float, nursery: Nursery | None = None
    ) -> None:
        """`folder` keeps its inputs, outputs and journal; `step_s` is a sampling step's length."""
        self.folder = folder
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = ("--port", str(port), "--state", str(folder), "--speed", str(step_s))
        argv = (SIMULATOR, *options)
        super().__init__(name, argv, {}, folder.with_suffix(".log"), nursery)

    def settings(self) -> dict[str, object]:
        """How an executor is told of it. It is not waited for as long as a real one."""
        return {"engine_id": self.name, "url": self.url, "read_timeout_s": 3.0}

    async def answers(self) -> bool:
        """Whether it can be asked now."""
        try:
            async with httpx.AsyncClient(timeout=2) as http:
                return (await http.get(f"{self.url}/simulator")).status_code == 200
        except httpx.HTTPError:
            return False

    async def order(self, fault: dict[str, object]) -> bool:
        """Adds a fault to those ordered; False when the engine could not be told."""
        url = f"{self.url}/simulator/faults"
        try:
            async with httpx.AsyncClient(timeout=2) as http:
                ordered = (await http.get(url)).json()["faults"]
                answer = await http.put(url, json={"faults": [*ordered, fault]})
                return answer.status_code == 200
        except httpx.HTTPError:
            return False

    async def pardon(self) -> None:
        """Takes back all ordered faults."""

        async def cleared() -> bool:
            try:
                async with httpx.AsyncClient(timeout=2) as http:
                    answer = await http.delete(f"{self.url}/simulator/faults")
                    return answer.status_code == 204
            except httpx.HTTPError:
                return False

        await eventually(cleared, within_s=60, every_s=0.2)

    def journal(self) -> list[dict[str, object]]:
        """Everything it did, in order, over all its lives."""
        path = self.folder / "journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines() if line]


def replica(
    service: str,
    number: int,
    system: System,
    env: Mapping[str, str],
    nursery: Nursery | None = None,
) -> Part:
    """A further process of a service on the bus, the store and the database of a running system."""
    state = json.loads((system.var / "run" / "state.json").read_text())
    name = f"{service}-{number}"
    own = {
        "ANIMATRIX_NATS_URL": f"nats://127.0.0.1:{state['children']['nats']['ports']['nats']}",
        "ANIMATRIX_NATS_PASSWORD": system.bus_passwords()[service],
        "ANIMATRIX_MEDIA_DIR": str(system.var / "media"),
        "ANIMATRIX_STATE_DIR": str(system.var / "state"),
        "ANIMATRIX_INSTANCE": name,
        f"ANIMATRIX_{service.upper()}_HEALTH_PORT": str(free_port()),
        **env,
    }
    log = system.var / "log" / f"{name}.log"
    return Part(name, (f"services.{service}",), own, log, nursery)


async def inflict(pid: int, kind: str, length_s: float) -> bool:
    """Does to a process what `kind` says (see faultplan.ENDS); False when it was gone already.

    Returns once a stopped process goes on.
    """
    number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "restart": signal.SIGTERM}[kind]
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    if kind == "stop":
        try:
            await asyncio.sleep(length_s)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    return True
