"""One chaos run: a system, jobs over time, faults over time, and the verdict at the end.

Owns the timing. Which faults is `faultplan`'s, what is right `verdict`'s affair.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.nursery import Nursery
from runtime.failpoints import POINTS, hits_in
from tests.chaos.delivery import delivery_faults
from tests.chaos.faultplan import Fault, faults
from tests.chaos.orders import Client, Listener, Orders
from tests.chaos.parts import Engine, Part, inflict, kept, replica
from tests.chaos.verdict import ENDS, Assignment, JobStory, Verdict, judge
from tests.support.system import System
from tests.support.waiting import eventually

UP_PARTS = ("gateway", "ingest", "composer", "collector", "nats")
LOADED = ("simulators.comfyui.app", "services.executor.app")
CHECKED_AT_ONCE = 4
MAX_FAILPOINT_CHANCE = 0.5
LIKELIER = 3.6
"""Points kill more likely than needed, so that the wanted hits come before the last jobs."""
EXECUTOR_SETTINGS = {
    "ANIMATRIX_EXECUTOR_MAX_ATTEMPTS": "20",
    "ANIMATRIX_EXECUTOR_LANE_PATIENCE_S": "2",  # simulated engines load their models in no time
}
SYSTEM_SETTINGS = {
    "ANIMATRIX_GATEWAY_SIZE_OVERRIDE": "64x64",
    "ANIMATRIX_COLLECTOR_CREDENTIALS": "false",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run. `pace_s` is the mean time between faults, `hits` how often at most each
    failpoint is hit and `least_hits` how often at least, `settle_s` how long the jobs may take
    after the last fault."""

    seed: int
    jobs: int
    kills: int
    engines: int = 5
    pace_s: float = 1.8
    hits: int = 22
    least_hits: int = 20
    step_s: float = 0.02
    settle_s: float = 180.0


@dataclass(slots=True)
class Outcome:
    """What was done, and the verdict."""

    wanted: Wanted
    verdict: Verdict
    injected: Counter[str]
    missed: Counter[str]
    hits: Mapping[str, int]
    refused: list[str]
    took_s: float
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the run shows what it should."""
        return self.verdict.passed and not self.refused and not self.untouched

    @property
    def untouched(self) -> list[str]:
        """The failpoints that were hit too seldom to show anything."""
        return [point for point, hits in self.hits.items() if hits < self.wanted.least_hits]


@dataclass(slots=True)
class Rig:
    """The running processes."""

    system: System
    engines: dict[str, Engine]
    executors: dict[str, Part]
    failpoints: Path

    def pid_of(self, name: str) -> int | None:
        """The process of a target, None while it is down."""
        if name in self.engines:
            return self.engines[name].pid
        if name in self.executors:
            return self.executors[name].pid
        return self.system.pid_of("executor" if name == "executor-0" else name)


@asynccontextmanager
async def running_rig(folder: Path, wanted: Wanted) -> AsyncIterator[Rig]:
    """Engines, a system whose executor serves the first of them, and an executor for each other.

    Each of those may also serve the engine after its own, so that the work of one that is killed
    is taken over by another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        nursery = Nursery(LOADED, os.environ, folder / "nursery.log")
        stack.push_async_callback(nursery.stop)
        engines = [
            Engine(f"engine-{n}", folder / f"engine-{n}", wanted.step_s, nursery)
            for n in range(wanted.engines)
        ]
        await stack.enter_async_context(kept(*engines))
        for engine in engines:
            await eventually(engine.answers, within_s=60, every_s=0.1)
        env = {**_executor_environment(engines[0]), **SYSTEM_SETTINGS}
        system = System(folder / "var", env)
        try:
            await asyncio.to_thread(system.start)
            executors = []
            for n in range(1, wanted.engines):
                own = _executor_environment(engines[n], engines[(n + 1) % wanted.engines])
                own |= _failpoints(folder / "failpoints", wanted)
                executors.append(replica("executor", n, system, own, nursery))
            async with kept(*executors):
                yield Rig(
                    system,
                    {engine.name: engine for engine in engines},
                    {part.name: part for part in executors},
                    folder / "failpoints",
                )
        finally:
            await asyncio.to_thread(system.stop)


def _executor_environment(*engines: Engine) -> dict[str, str]:
    told = json.dumps([engine.settings() for engine in engines])
    return {"ANIMATRIX_EXECUTOR_ENGINES": told, **EXECUTOR_SETTINGS}


def _failpoints(folder: Path, wanted: Wanted) -> dict[str, str]:
    chance = min(MAX_FAILPOINT_CHANCE, LIKELIER * wanted.hits / max(1, wanted.jobs))
    return {
        "ANIMATRIX_FAILPOINTS": ",".join(f"{point}:{chance:.4f}" for point in POINTS),
        "ANIMATRIX_FAILPOINTS_SEED": str(wanted.seed),
        "ANIMATRIX_FAILPOINTS_DIR": str(folder),
        "ANIMATRIX_FAILPOINTS_ENOUGH": str(wanted.hits),
    }


async def run(folder: Path, wanted: Wanted, say: Callable[[str], None]) -> Outcome:
    """The whole run; `folder` is empty and keeps everything for a look afterwards."""
    began = time.monotonic()
    async with running_rig(folder, wanted) as rig:
        say(f"{rig.system.url} is up after {time.monotonic() - began:.0f} s, data in {folder}")
        client, listener = Client(rig.system.url), Listener(rig.system.url)
        orders = Orders(client, folder, wanted.seed)
        injected: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        try:
            async with listener.running():
                await orders.prepare()
                await asyncio.gather(
                    _place_all(orders, wanted),
                    _inject_all(rig, wanted, injected, missed, say),
                )
                await _pardon(rig)
                say(f"{len(orders.accepted)} jobs accepted; waiting for the last ones")
                answers = await orders.settle(wanted.settle_s, listener, _counting_down(say))
                stories = await _stories(client, answers, listener)
            journals = {name: engine.journal() for name, engine in rig.engines.items()}
            verdict = judge(stories, journals)
            lines = [line for journal in journals.values() for line in journal]
            notes = {
                "attempts assigned": verdict.attempts,
                "prompts started by engines": verdict.starts,
                "engine boots": sum(line["event"] == "boot" for line in lines),
                "requests that the client repeated": client.retries,
                "reconnects of the stream": listener.reconnects,
            }
            return Outcome(
                wanted,
                verdict,
                injected,
                missed,
                {str(point): hits for point, hits in hits_in(rig.failpoints).items()},
                orders.refused,
                time.monotonic() - began,
                notes,
            )
        finally:
            await client.close()


def _counting_down(say: Callable[[str], None]) -> Callable[[int], None]:
    told = -1

    def on_progress(open_jobs: int) -> None:
        nonlocal told
        if open_jobs != told:
            say(f"{open_jobs} jobs are open")
        told = open_jobs

    return on_progress


async def _place_all(orders: Orders, wanted: Wanted) -> None:
    """The jobs are spread over the time of the faults; a late one is placed at once."""
    gap_s = wanted.pace_s * wanted.kills / max(1, wanted.jobs)
    began = time.monotonic()
    for number in range(wanted.jobs):
        await asyncio.sleep(max(0.0, began + number * gap_s - time.monotonic()))
        await orders.place(number)


async def _inject_all(
    rig: Rig,
    wanted: Wanted,
    injected: Counter[str],
    missed: Counter[str],
    say: Callable[[str], None],
) -> None:
    """Injects as many faults as wanted; one that finds its target down is not counted."""
    parts = (*UP_PARTS, "executor-0", *rig.executors)
    began = time.monotonic()
    due = 0.0
    async with asyncio.TaskGroup() as going:
        for fault in faults(wanted.seed, parts, tuple(rig.engines), wanted.pace_s):
            if injected.total() >= wanted.kills:
                return
            due += fault.after_s
            await asyncio.sleep(max(0.0, began + due - time.monotonic()))
            target = fault.target.rpartition("-")[0] or fault.target
            name = f"{fault.kind} {target}"
            done = await _inject(rig, fault, going)
            (injected if done else missed)[name] += 1
            if injected.total() % 20 == 0:
                say(f"{injected.total()} faults after {time.monotonic() - began:.0f} s")


async def _inject(rig: Rig, fault: Fault, going: asyncio.TaskGroup) -> bool:
    if fault.order:
        return await rig.engines[fault.target].order(fault.order)
    pid = rig.pid_of(fault.target)
    if pid is None:
        return False
    if fault.kind == "stop":
        going.create_task(inflict(pid, fault.kind, fault.length_s))
        return True
    return await inflict(pid, fault.kind, 0.0)


async def _pardon(rig: Rig) -> None:
    for engine in rig.engines.values():
        await engine.pardon()


async def _stories(
    client: Client, answers: Mapping[str, Mapping[str, Any]], listener: Listener
) -> list[JobStory]:
    gate = asyncio.Semaphore(CHECKED_AT_ONCE)

    async def one(job_id: str, answer: Mapping[str, Any]) -> JobStory:
        async with gate:
            return await _story(client, job_id, answer, listener)

    return list(await asyncio.gather(*(one(*item) for item in answers.items())))


async def _story(
    client: Client, job_id: str, answer: Mapping[str, Any], listener: Listener
) -> JobStory:
    status = answer.get("status")
    if status is None:
        return JobStory(job_id, None)
    page = (await client.ask("GET", f"/api/jobs/{job_id}/events?limit=500")).json()
    events = [e for e in page["events"] if e["ignored"] is None]
    found: list[str] = []
    video = ""
    if status == "completed":
        found, video = await delivery_faults(client, job_id)
    return JobStory(
        job_id,
        status,
        code=(answer.get("error") or {}).get("code"),
        ends=tuple(e["event"] for e in events if e["event"] in ENDS),
        assignments=tuple(
            Assignment(
                e["data"]["comfy_prompt_id"], job_id, e["data"]["step"], e["data"]["attempt"]
            )
            for e in page["events"]
            if e["event"] == "step_assigned"
        ),
        delivery=tuple(found),
        video=video,
        heard=tuple(listener.ends.get(job_id, ())),
    )
