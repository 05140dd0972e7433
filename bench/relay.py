"""Jobs a second through the bus alone: every transition decided, locked, synced and acknowledged.

No HTTP, no media, no engine and no verification: what is left is the bus and the rules of a job,
one process for each service. As a program: `python -m bench.relay SERVICE NATS_URL` is one of them.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from bench.figures import Finding, series
from contracts.events import (
    AnyJobEvent,
    ExecutionFinished,
    JobCompleted,
    JobEvent,
    JobSubmitted,
    MediaPrepared,
    StepReady,
)
from contracts.subjects import CONSUMERS, JOBS_STREAM, Consumer, Service, lane_consumer
from runtime.bus import Bus
from runtime.ids import new_id
from runtime.nats_process import NatsProcess
from runtime.outcome import Ack, Outcome
from runtime.provision import provision
from runtime.work import Subscription, work
from tests.support.examples import LANE, whole_job

SLOTS = 8
"""How many jobs each service has in hand at once."""
SUBMITS_AT_ONCE = 32
WARM_UP = 20


def _durable(name: str) -> Consumer:
    return next(consumer for consumer in CONSUMERS if consumer.durable == name)


_DUTIES: dict[Service, tuple[Consumer, type[JobEvent], tuple[int, ...]]] = {
    "ingest": (_durable("ingest-jobs"), JobSubmitted, (1,)),
    "composer": (_durable("composer-jobs"), MediaPrepared, (2, 3)),
    "executor": (lane_consumer(LANE), StepReady, (4, 5, 6, 7)),
    "collector": (_durable("collector-jobs"), ExecutionFinished, (8,)),
}
"""What a service waits for, and which events of a job it says then, by their place."""


_TEMPLATE = tuple(whole_job())


def _of(job_id: str, place: int) -> AnyJobEvent:
    return _TEMPLATE[place].model_copy(update={"job_id": job_id})


def _handler(bus: Bus, places: tuple[int, ...]) -> Callable[[JobEvent], Awaitable[Outcome]]:
    async def say(heard: JobEvent) -> Outcome:
        for place in places:
            event = _of(heard.job_id, place)
            await bus.decide(heard.job_id, lambda _, event=event: event)  # type: ignore[misc]
        return Ack()

    return say


async def _serve(service: Service, url: str) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    consumer, event, places = _DUTIES[service]
    async with Bus(service, url, on_closed=stopping.set) as bus:
        await work(bus, Subscription(consumer, {event: _handler(bus, places)}, SLOTS), stopping)


async def relay(folder: Path, jobs: int) -> Finding:
    """As many jobs as are wanted, all submitted at once, until the last is completed."""
    server = NatsProcess(folder / "relay")
    server.start()
    try:
        await provision(server.url, (LANE,))
        with _services(server.url):
            async with Bus("gateway", server.url, on_closed=lambda: None) as bus:
                await _run(bus, WARM_UP)
                took_s = await _run(bus, jobs)
    finally:
        server.stop()
    rate = jobs / took_s
    return Finding(
        "jobs a second through the bus, VERIFICATION OFF",
        "≥ 100 on two cores",
        (series("jobs/s", "1/s", [rate]), series("events/s", "1/s", [9 * rate])),
        rate >= 100,
        f"{rate:.0f} jobs/s over {jobs} jobs of nine events, each locked, synced, acknowledged",
        ("no HTTP, media, engine or verification; five processes and the nats-server",),
    )


@contextmanager
def _services(url: str) -> Iterator[None]:
    commands = [[sys.executable, "-m", "bench.relay", service, url] for service in _DUTIES]
    running = [subprocess.Popen(command) for command in commands]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)


async def _run(bus: Bus, jobs: int) -> float:
    """Seconds from the first submit to the last completion."""
    begin = (await bus.stream_state(JOBS_STREAM)).last_sequence + 1
    ending = asyncio.create_task(_completed(bus, begin, jobs))
    gate, began_s = asyncio.Semaphore(SUBMITS_AT_ONCE), time.perf_counter()

    async def submit() -> None:
        async with gate:
            first = _of(new_id(), 0)
            assert isinstance(first, JobSubmitted)  # noqa: S101
            await bus.begin(first)

    await asyncio.gather(*(submit() for _ in range(jobs)))
    await ending
    return time.perf_counter() - began_s


async def _completed(bus: Bus, begin: int, jobs: int) -> None:
    left = jobs
    async for message in bus.follow(JOBS_STREAM, start_sequence=begin):
        left -= isinstance(message.event, JobCompleted)
        if left == 0:
            return


if __name__ == "__main__":
    chosen = next(service for service in _DUTIES if service == sys.argv[1])
    uvloop.run(_serve(chosen, sys.argv[2]))
