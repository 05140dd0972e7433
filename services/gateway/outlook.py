"""What waits and runs, read at most once a second; from it places, times, the state of the queue.

Owns the reading and the metrics; what is made of it is decided in forecasts and queue_state.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Gauge

from contracts.engines import EngineSnapshot
from runtime.stamp import now
from runtime.tails import BusUnavailable
from services.gateway.adapters.db.engine import AWAY_TYPES, is_away
from services.gateway.adapters.db.reading import ReadModel
from services.gateway.engines import KnownEngines
from services.gateway.forecasts import Entry, Forecast, forecast
from services.gateway.projection import Row
from services.gateway.queue_state import Bounds, LaneLoad, QueueStatus, queue_status
from services.gateway.run_times import Run, RunTime, estimate

log = structlog.get_logger()
FRESH_S = 1.0
WATCH_EVERY_S = 10.0
JOBS_AT_MOST = 2000
RUNS_AT_MOST = 100
WAITING = Gauge("animatrix_queue_waiting", "Steps that wait for an engine", ["lane"])
SATURATED = Gauge(
    "animatrix_queue_warning", "1 while a lane is saturated, stalled or paused", ["lane", "state"]
)
_ANSWERING = frozenset({"ready", "busy"})


@dataclass(frozen=True, slots=True)
class Picture:
    """The queue at one moment."""

    entries: tuple[Entry, ...]
    engines: tuple[EngineSnapshot, ...]
    paused: frozenset[str]

    @property
    def waiting(self) -> list[Entry]:
        """Jobs whose step waits."""
        return [entry for entry in self.entries if entry.elapsed_s is None]

    @property
    def running(self) -> list[Entry]:
        """Jobs whose step runs."""
        return [entry for entry in self.entries if entry.elapsed_s is not None]

    def serving(self, lane: str) -> list[EngineSnapshot]:
        """The engines that take work of a lane now."""
        if self.paused & {"all", f"lane.{lane}"}:
            return []
        return [
            engine
            for engine in self.engines
            if lane in engine.lanes
            and engine.health in _ANSWERING
            and f"engine.{engine.engine_id}" not in self.paused
        ]

    def of(self, job_id: str) -> Forecast | None:
        """The forecast of a waiting job, None for one that does not wait here."""
        job = next((one for one in self.waiting if one.job_id == job_id), None)
        if job is None:
            return None
        serving = self.serving(job.lane)
        lanes = {job.lane}.union(*(engine.lanes for engine in serving))
        return forecast(
            job,
            [one for one in self.waiting if one.lane in lanes],
            [one for one in self.running if one.lane in lanes],
            len(serving),
        )

    def loads(self) -> list[LaneLoad]:
        """What there is on every lane that an engine serves or a job waits for."""
        lanes = {entry.lane for entry in self.entries}
        lanes |= {lane for engine in self.engines for lane in engine.lanes}
        return [self._load(lane) for lane in sorted(lanes)]

    def _load(self, lane: str) -> LaneLoad:
        waiting = [one for one in self.waiting if one.lane == lane]
        last = self.of(waiting[-1].job_id) if waiting else None
        return LaneLoad(
            lane,
            len(waiting),
            sum(1 for one in self.running if one.lane == lane),
            len(self.serving(lane)),
            last.wait.low_s if last and last.wait else None,
        )


class Outlook:
    """Answers from a picture that is at most a second old."""

    def __init__(self, read: ReadModel, engines: KnownEngines, bounds: Bounds) -> None:
        """Nothing is read before the first question."""
        self._read = read
        self._engines = engines
        self._bounds = bounds
        self._picture: Picture | None = None
        self._seen_at = float("-inf")
        self._looking = asyncio.Lock()

    async def picture(self) -> Picture:
        """What waits and runs. Raises BusUnavailable."""
        async with self._looking:
            if self._picture is None or time.monotonic() - self._seen_at > FRESH_S:
                self._picture = await self._look()
                self._seen_at = time.monotonic()
            return self._picture

    async def status(self) -> QueueStatus:
        """How the queue stands. Raises BusUnavailable."""
        picture = await self.picture()
        return queue_status(picture.loads(), picture.paused, self._bounds)

    async def watch(self, stopping: asyncio.Event) -> None:
        """Tell Prometheus every ten seconds, until the process stops."""
        while not stopping.is_set():
            try:
                self._measure(await self.status())
            except BusUnavailable as silent:
                log.warning("the queue is not known", reason=str(silent))
            except AWAY_TYPES as trouble:
                if not is_away(trouble):
                    raise
                log.warning("the queue waits for the database", reason=repr(trouble))
            try:
                await asyncio.wait_for(stopping.wait(), WATCH_EVERY_S)
            except TimeoutError:
                continue

    def _measure(self, status: QueueStatus) -> None:
        for lane in status.lanes:
            WAITING.labels(lane.lane).set(lane.waiting)
            for state in ("saturated", "stalled", "paused"):
                SATURATED.labels(lane.lane, state).set(lane.state == state)

    async def _look(self) -> Picture:
        rows = await self._read.in_lanes(JOBS_AT_MOST)
        engines = await self._engines.all()
        paused = frozenset(pause.what for pause in await self._engines.pauses())
        simulated = bool(engines) and all(engine.simulated for engine in engines)
        known = await self._known(rows, simulated)
        entries = [_entry(row, known.get(_like(row), [])) for row in rows]
        return Picture(tuple(entries), engines, paused)

    async def _known(
        self, rows: Sequence[Row], simulated: bool
    ) -> dict[tuple[str, str], list[Run]]:
        known: dict[tuple[str, str], list[Run]] = {}
        for workflow, profile in sorted({_like(row) for row in rows}):
            found = await self._read.runs_like(
                workflow, profile, simulated=simulated, at_most=RUNS_AT_MOST
            )
            known[workflow, profile] = [Run(one["frames"], one["ran_s"]) for one in found]
        return known


def _like(row: Row) -> tuple[str, str]:
    return row["workflow_template"] or "", row["settings"]["quality_profile"]


def _entry(row: Row, runs: Sequence[Run]) -> Entry:
    since = row["running_since"]
    frames = row["delivery"]["frames"] / row["steps"]
    run: RunTime | None = estimate(runs, frames)
    return Entry(
        job_id=row["job_id"],
        owner=row["owner"],
        lane=row["lane"],
        ready_sequence=row["ready_sequence"],
        steps_left=max(1, row["steps"] - row["step"]),
        run=run,
        elapsed_s=None if since is None else max(0.0, (now() - since).total_seconds()),
    )
