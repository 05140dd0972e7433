"""When a waiting job will begin and be made, as an interval: its turn among owners, the steps
ahead, the engines that share them. Pure: rows and estimates in, seconds out.

The turns are those of the executor (services.executor.turns): owners in turn, within an owner the
oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.run_times import Interval, RunTime, together


@dataclass(frozen=True, slots=True)
class Entry:
    """A job with a step that waits or runs. `steps_left` counts that step; `elapsed_s` is how long
    it has run, None while it waits."""

    job_id: str
    owner: str
    lane: str
    ready_sequence: int
    steps_left: int
    run: RunTime | None
    elapsed_s: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Place in the queue (1 is next), seconds until it begins, it runs, and it is made."""

    position: int
    wait: Interval | None = None
    run: Interval | None = None
    eta: Interval | None = None


def forecast(
    job: Entry, waiting: Sequence[Entry], running: Sequence[Entry], engines: int
) -> Forecast:
    """The forecast of a waiting job.

    `waiting` are the jobs that wait for the same engines, on any lane; `running` those that these
    engines run; `engines` how many take work of the job's lane. Without an engine, or as long as
    nothing is known of a step that comes before, there is a place and no time.
    """
    others = [one for one in waiting if one.job_id != job.job_id]
    lane = [one for one in others if one.lane == job.lane]
    surely, perhaps, position = _ahead(job, lane)
    perhaps += [o for o in others if o.lane != job.lane and o.ready_sequence < job.ready_sequence]
    run = together([job.run] * job.steps_left) if job.run is not None else None
    low = _wait(surely, running, engines)
    high = _wait(surely + perhaps, running, engines)
    if run is None or low is None or high is None:
        return Forecast(position, run=run)
    wait = Interval(_earliest(low, [*surely, *running], engines), high.high_s / engines)
    last_s = wait.high_s + run.high_s
    if job.steps_left > 1:
        everything = [step for one in (*running, *others, job) for step in _steps(one)]
        last_s = max(last_s, together(everything).high_s / engines + run.high_s)
    return Forecast(position, wait, run, Interval(wait.low_s + run.low_s, last_s))


def _ahead(job: Entry, lane: Sequence[Entry]) -> tuple[list[Entry], list[Entry], int]:
    """Who surely comes before the job, who perhaps, and the job's place."""
    mine = sorted(
        (o for o in lane if o.owner == job.owner and o.ready_sequence < job.ready_sequence),
        key=lambda one: one.ready_sequence,
    )
    turns = len(mine)
    surely, perhaps, position = list(mine), list[Entry](), turns + 1
    for owner in sorted({one.owner for one in lane} - {job.owner}):
        theirs = sorted((o for o in lane if o.owner == owner), key=lambda o: o.ready_sequence)
        surely += theirs[:turns]
        position += len(theirs[:turns])
        rest = theirs[turns : turns + 1]
        position += sum(1 for one in rest if one.ready_sequence < job.ready_sequence)
        # Whoever has few jobs of many steps may take a turn in every round.
        steps = sum(one.steps_left for one in theirs) - len(theirs[:turns])
        again = min(max(steps, 0), turns + 1 - len(theirs[:turns]))
        perhaps += (rest or theirs[-1:]) * again
    return surely, perhaps, position


def _wait(ahead: Sequence[Entry], running: Sequence[Entry], engines: int) -> Interval | None:
    """The work before a job, None when it cannot be known."""
    entries = [*running, *ahead]
    runs = [one.run for one in entries if one.run is not None]
    if engines < 1 or len(runs) < len(entries):
        return None
    return together(runs, [one.elapsed_s or 0.0 for one in running])


def _earliest(work: Interval, entries: Sequence[Entry], engines: int) -> float:
    """With several engines the first may be free while the others still run one step each."""
    if len(entries) < engines:
        return 0.0
    longest_s = max((one.run.mean_s for one in entries if one.run is not None), default=0.0)
    return max(0.0, (work.low_s - (engines - 1) * longest_s) / engines)


def _steps(entry: Entry) -> list[RunTime]:
    return [] if entry.run is None else [entry.run] * entry.steps_left
