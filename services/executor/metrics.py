"""The executor's Prometheus metrics. Labels are lanes, families, outcomes and engine ids: few."""

from __future__ import annotations

import time

from prometheus_client import Counter, Histogram

STEPS = Counter("animatrix_executor_steps", "Steps ended, by lane and outcome", ["lane", "outcome"])
GENERATION_SECONDS = Histogram(
    "animatrix_executor_generation_seconds",
    "Time an engine ran a step, by workflow family",
    ["family"],
    buckets=(1, 5, 15, 30, 60, 120, 300, 600, 1200, 2400, 4800, 9600),
)
WAIT_SECONDS = Histogram(
    "animatrix_executor_wait_seconds",
    "Time a step waited from ready to the engine's start, by workflow family",
    ["family"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1200, 3600, 14400),
)
ENGINE_SECONDS = Counter(
    "animatrix_executor_engine_seconds", "Seconds an engine was busy or idle", ["engine", "state"]
)
ENGINE_AWAY = Counter(
    "animatrix_executor_engine_away", "Times an engine stopped answering", ["engine"]
)


def family_of(lane: str) -> str:
    """The workflow family in a lane's name (contracts.subjects.lane_name)."""
    return lane.partition("-")[2].rpartition("-")[0] or lane


class BusyClock:
    """Adds up an engine's busy and idle seconds; `running` prompts make it busy."""

    def __init__(self, engine_id: str) -> None:
        self._engine_id = engine_id
        self._running: set[str] = set()
        self._since_s = time.monotonic()

    def tick(self) -> None:
        """Counts the time since the last tick."""
        now_s = time.monotonic()
        state = "busy" if self._running else "idle"
        ENGINE_SECONDS.labels(self._engine_id, state).inc(now_s - self._since_s)
        self._since_s = now_s

    def begins(self, prompt_id: str) -> None:
        """The engine runs this prompt from now on."""
        self.tick()
        self._running.add(prompt_id)

    def ends(self, prompt_id: str) -> None:
        """The engine no longer runs this prompt."""
        self.tick()
        self._running.discard(prompt_id)
