"""How often a fleet loads models: the executor's choice of lane against first come, first served.

A simulation of time with the product's decision (services.executor.choosing) in it; no process is
started, and it is labelled so. Must not decide anything itself.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.figures import Finding, series
from services.executor.choosing import Turn, WaitingSince, Warmth, lane_order
from services.executor.settings import Settings

LOAD_S = 30.0
FAMILIES = ("animate", "s2v", "fun_inp", "fun_control")
PATIENCE_S = float(Settings.model_fields["lane_patience_s"].default)
TURN_S = float(Settings.model_fields["lane_turn_s"].default)
LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job of a family that arrives at a second and runs for some seconds."""

    at_s: float
    family: str
    run_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Model loads, and how long each job waited."""

    loads: int
    waited_s: tuple[float, ...]


def trace(jobs: int, engines: int, seed: int) -> list[Arrival]:
    """Arrivals that keep the engines about nine tenths busy, the families mixed at random."""
    pick, at_s, found = random.Random(seed), 0.0, []
    for _ in range(jobs):
        run_s = pick.uniform(30.0, 90.0)
        at_s += pick.expovariate(0.9 * engines / 60.0)
        found.append(Arrival(at_s, pick.choice(FAMILIES), run_s))
    return found


Choose = Callable[[dict[str, list[Arrival]], str | None, frozenset[str], float], str | None]


def first_come(
    queues: dict[str, list[Arrival]], warm: str | None, elsewhere: frozenset[str], now_s: float
) -> str | None:
    """The family of the job that has waited longest."""
    return min(queues, key=lambda family: queues[family][0].at_s)


def product() -> Choose:
    """The executor's choice with one engine's memory; None when nothing is to be taken now."""
    memory, turn = WaitingSince(), Turn()

    def choose(
        queues: dict[str, list[Arrival]], warm: str | None, elsewhere: frozenset[str], now_s: float
    ) -> str | None:
        waits = memory.seen(queues, now_s)
        warmth = Warmth(warm, turn.served_s(warm, now_s), elsewhere)
        order = lane_order(waits, warmth, PATIENCE_S, TURN_S)
        if not order:
            return None
        memory.served(order[0])
        return order[0]

    return choose


def run(arrivals: list[Arrival], chooser: Callable[[], Choose], engines: int) -> Outcome:
    """Serve the arrivals; an engine that changes family loads for `LOAD_S` first."""
    free = [(0.0, number) for number in range(engines)]
    warm: list[str | None] = [None] * engines
    choosers = [chooser() for _ in range(engines)]
    coming, queues, loads, waited = list(reversed(arrivals)), dict[str, list[Arrival]](), 0, []
    while coming or queues:
        now_s, number = heapq.heappop(free)
        while coming and coming[-1].at_s <= now_s:
            arrival = coming.pop()
            queues.setdefault(arrival.family, []).append(arrival)
        elsewhere = frozenset(w for n, w in enumerate(warm) if n != number and w is not None)
        family = choosers[number](queues, warm[number], elsewhere, now_s) if queues else None
        if family is None:
            heapq.heappush(free, (now_s + LOOK_EVERY_S, number))
            continue
        job = queues[family].pop(0)
        if not queues[family]:
            del queues[family]
        waited.append(now_s - job.at_s)
        load_s = 0.0
        if warm[number] != family:
            loads, load_s, warm[number] = loads + 1, LOAD_S, family
        heapq.heappush(free, (now_s + load_s + job.run_s, number))
    return Outcome(loads, tuple(waited))


def scheduling(jobs: int) -> Finding:
    """Loads saved and the longest wait, over two, three and four engines."""
    said, saved, worst, all_series = [], [], [], []
    for engines in (2, 3, 4):
        arrivals = trace(jobs, engines, seed=engines)
        fifo = run(arrivals, lambda: first_come, engines)
        own = run(arrivals, product, engines)
        fewer = 100 * (1 - own.loads / fifo.loads)
        longest, fair = max(own.waited_s), max(fifo.waited_s)
        saved.append(fewer)
        worst.append(longest / fair)
        said.append(f"{engines} engines: {own.loads} loads for {fifo.loads} ({fewer:.0f} % fewer)")
        all_series += [
            series(f"waited, {engines} engines", "s", own.waited_s),
            series(f"waited first come, {engines} engines", "s", fifo.waited_s),
        ]
    return Finding(
        f"model loads, {jobs} jobs of 4 families (simulated time)",
        "≥ 60 % fewer than first come; nobody waits more than 2 × the fair share",
        tuple(all_series),
        min(saved) >= 60 and max(worst) <= 2,
        "; ".join(said) + f"; longest wait {max(worst):.2f} × first come's longest",
    )
