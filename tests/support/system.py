"""The whole system as a user starts it: `animatrix up` on a folder of its own, simulated engine.

Must use nothing but the command, its files in the var folder, and HTTP.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

READY_WITHIN_S = 60.0
"""Generous for a machine that runs other tests beside; the product promises 15 s."""


class System:
    """A running system. `var` holds its data, `url` is its address."""

    def __init__(self, var: Path, env: Mapping[str, str]) -> None:
        """Nothing is started yet."""
        self.var = var
        self._env = {**os.environ, "ANIMATRIX_PORT": "0", "ANIMATRIX_VAR": str(var), **env}
        for engine in ("COMFYUI_URL", "WEBUI_URL"):
            if engine not in env:
                self._env.pop(engine, None)
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.ready_after_s = 0.0

    def start(self) -> None:
        """Start and wait for the line that says it is ready."""
        self.var.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        self._process = subprocess.Popen(
            [str(Path(sys.executable).parent / "animatrix"), "up", "--json"],
            stdout=subprocess.PIPE,
            stderr=(self.var / "up.err").open("ab"),
            text=True,
            env=self._env,
        )
        output = self._process.stdout
        assert output is not None
        while time.monotonic() - began < READY_WITHIN_S:
            readable, _, _ = select.select([output], [], [], 0.5)
            line = output.readline() if readable else ""
            if line.startswith("{") and (said := json.loads(line)).get("event") == "ready":
                self.url = said["url"].rstrip("/")
                self.ready_after_s = time.monotonic() - began
                return
            if self._process.poll() is not None:
                break
        self.stop()
        raise AssertionError(f"not ready: {(self.var / 'up.err').read_text()[-4000:]}")

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._process = None

    def pid_of(self, name: str) -> int | None:
        """The process id of a part, as the system itself recorded it; None while it is down."""
        state = json.loads((self.var / "run" / "state.json").read_text())
        pid = state["children"][name]["pid"]
        return None if pid is None else int(pid)

    @property
    def comfyui_url(self) -> str:
        """Where the ComfyUI is."""
        state = json.loads((self.var / "run" / "state.json").read_text())
        return str(state["engine"]["url"])

    @property
    def webui_url(self) -> str:
        """Where the WebUI is."""
        state = json.loads((self.var / "run" / "state.json").read_text())
        return str(state["webui"]["url"])

    def bus_passwords(self) -> dict[str, str]:
        """The accounts of the bus: passwords by user, new at every start."""
        found: dict[str, str] = json.loads((self.var / "nats" / "passwords.json").read_text())
        return found

    def assert_bus_refused_nothing(self) -> None:
        """Every service did its work with the permissions of its own account."""
        for log in (self.var / "log" / "nats.log", *self.var.parent.glob("nats/node-*/nats.log")):
            said = log.read_text() if log.exists() else ""
            assert "iolation" not in said, [x for x in said.splitlines() if "iolation" in x]

    def kill(self, name: str) -> int:
        """SIGKILL a part; returns the pid it had."""
        pid = self.pid_of(name)
        assert pid is not None, f"{name} is not running"
        os.kill(pid, signal.SIGKILL)
        return pid

    def http(self) -> httpx.AsyncClient:
        """A client of the API; connections that die with a killed gateway are tried again."""
        return httpx.AsyncClient(
            base_url=self.url, timeout=30, transport=httpx.AsyncHTTPTransport(retries=5)
        )

    def journal(self) -> list[dict[str, Any]]:
        """What the simulated engine executed, by its own record."""
        lines: list[dict[str, Any]] = []
        for path in sorted((self.var / "simulator").rglob("journal*.jsonl")):
            lines += [json.loads(line) for line in path.read_text().splitlines() if line]
        return lines


@contextmanager
def running_system(var: Path, **env: str) -> Iterator[System]:
    """A started system, stopped afterwards."""
    system = System(var, env)
    system.start()
    try:
        yield system
    finally:
        system.stop()
    system.assert_bus_refused_nothing()


async def upload(http: httpx.AsyncClient, kind: str, path: Path) -> str:
    """Upload a file; returns the asset id."""
    with path.open("rb") as source:
        answer = await http.post(f"/api/assets/{kind}", files={"file": (path.name, source)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["asset_id"])


async def submit(http: httpx.AsyncClient, mode: str, body: Mapping[str, Any]) -> str:
    """Submit a job; returns its id."""
    answer = await http.post(f"/api/jobs/{mode}", json=dict(body))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


async def ended(http: httpx.AsyncClient, job_id: str, within_s: float = 90.0) -> dict[str, Any]:
    """The job once it has ended, polled through whatever restarts happen meanwhile."""
    deadline = time.monotonic() + within_s
    last: Any = None
    while time.monotonic() < deadline:
        try:
            answer = await http.get(f"/api/jobs/{job_id}")
            last = answer.json()
            if answer.status_code == 200 and last["status"] in ("completed", "failed", "cancelled"):
                return dict(last)
        except httpx.TransportError as away:
            last = repr(away)
        await asyncio.sleep(0.15)
    raise AssertionError(f"job {job_id} did not end within {within_s} s: {last}")


async def sse(http: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[dict[str, Any]]:
    """The events of an SSE stream: {"event", "data", "id"}; comments are left out."""
    async with http.stream("GET", path, headers=headers, timeout=None) as answer:
        assert answer.status_code == 200, await answer.aread()
        event: dict[str, Any] = {}
        async for line in answer.aiter_lines():
            if not line:
                if event:
                    yield event
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                event[name] = value.removeprefix(" ")
