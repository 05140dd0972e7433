"""The process of a service: readiness, drain, exit codes. Each test runs a real process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx

from runtime.nats_process import NatsProcess
from tests.support.bus import BusFactory
from tests.support.examples import whole_job
from tests.support.waiting import eventually

PROGRAM = """
import asyncio, os, pathlib
from contextlib import asynccontextmanager
from contracts.events import StepReady
from contracts.subjects import lane_consumer
from runtime.outcome import Ack
from runtime.process import App, Subscription, run

async def on_step_ready(event):
    pathlib.Path(os.environ["BEGUN"]).touch()
    await asyncio.sleep(float(os.environ["WORK_S"]))
    pathlib.Path(os.environ["DONE"]).touch()
    return Ack()

async def fails():
    await asyncio.sleep(0.2)
    raise RuntimeError("this task must not be lost in silence")

@asynccontextmanager
async def build(runtime):
    lane = lane_consumer("comfyui-animate-fp8")
    background = (fails,) if os.environ.get("FAIL") else ()
    yield App((Subscription(lane, {StepReady: on_step_ready}),), background)

run("executor", build)
"""


class Program:
    """A service made for the test, as a process of its own."""

    def __init__(self, folder: Path, nats_url: str, **env: str) -> None:
        self.begun, self.done = folder / "begun", folder / "done"
        self.log = folder / "program.log"
        script = folder / "program.py"
        script.write_text(textwrap.dedent(PROGRAM))
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            stderr=self.log.open("wb"),
            env={
                **os.environ,
                "PYTHONPATH": str(Path.cwd()),
                "ANIMATRIX_NATS_URL": nats_url,
                "ANIMATRIX_MEDIA_DIR": str(folder / "media"),
                "BEGUN": str(self.begun),
                "DONE": str(self.done),
                "WORK_S": "0",
                **env,
            },
        )

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far, parsed."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line]

    async def health_port(self) -> int:
        """Waits until it says that it started."""

        def port() -> int | None:
            assert self.process.poll() is None, self.log.read_text()
            started = [x for x in self.lines() if x.get("event") == "started"]
            return started[0]["health_port"] if started else None

        return int(await eventually(port) or 0)


async def test_a_service_is_ready_and_shows_its_metrics(
    provisioned: NatsProcess, tmp_path: Path
) -> None:
    program = Program(tmp_path, provisioned.url)
    url = f"http://127.0.0.1:{await program.health_port()}"
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{url}/readyz")).json()["ready"] is True
        assert "animatrix_events_handled" in (await http.get(f"{url}/metrics")).text
    await asyncio.sleep(2.5)  # long enough for fetches to have ended without a message
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(5) == 0


async def test_sigterm_lets_work_in_hand_finish(
    provisioned: NatsProcess, bus_factory: BusFactory, tmp_path: Path
) -> None:
    composer = await bus_factory("composer")
    program = Program(tmp_path, provisioned.url, WORK_S="1.5")
    await composer.publish(whole_job()[3])
    await eventually(program.begun.exists)
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(15) == 0
    assert program.done.exists()


async def test_work_of_a_killed_process_is_delivered_to_its_successor(
    provisioned: NatsProcess, bus_factory: BusFactory, tmp_path: Path
) -> None:
    composer = await bus_factory("composer")
    first = Program(tmp_path, provisioned.url, WORK_S="60")
    await composer.publish(whole_job()[3])
    await eventually(first.begun.exists)
    first.process.kill()
    first.process.wait()
    second = Program(tmp_path, provisioned.url, WORK_S="0")
    await eventually(second.done.exists, within_s=25)
    second.process.terminate()
    assert second.process.wait(10) == 0


async def test_a_background_task_that_dies_ends_the_process_with_its_reason(
    provisioned: NatsProcess, tmp_path: Path
) -> None:
    program = Program(tmp_path, provisioned.url, FAIL="1")
    assert program.process.wait(15) == 1
    assert any("must not be lost in silence" in json.dumps(x) for x in program.lines())


async def test_a_service_waits_for_the_bus_and_still_heeds_sigterm(tmp_path: Path) -> None:
    program = Program(tmp_path, "nats://127.0.0.1:1")
    await eventually(lambda: "bus connection trouble" in program.log.read_text())
    assert program.process.poll() is None
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(10) == 0
