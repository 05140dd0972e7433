"""Run times learnt from histories, and forecasts of the queue: right as often as they promise."""

from __future__ import annotations

import math
import random

import pytest

from services.executor.turns import Turns
from services.gateway.forecasts import Entry, forecast
from services.gateway.queue_state import Bounds, LaneLoad, queue_status
from services.gateway.run_times import Run, RunTime, estimate, together

LANE = "comfyui-animate-fp8"
BOUNDS = Bounds(waiting_per_engine=5, wait_s=600)


def history(dice: random.Random, count: int, *, spread: float = 0.2) -> list[Run]:
    """Steps of 77 frames that take about 100 s."""
    return [Run(77, 100 * math.exp(dice.gauss(0, spread))) for _ in range(count)]


def learnt(runs: list[Run], frames: float = 77) -> RunTime:
    found = estimate(runs, frames)
    assert found is not None
    return found


def test_without_data_there_is_no_estimate() -> None:
    assert estimate([], 77) is None
    assert estimate([Run(77, 0.0)], 77) is None


@pytest.mark.parametrize(("count", "at_least"), [(1, 0.75), (3, 0.8), (10, 0.85), (50, 0.85)])
def test_the_next_run_falls_within_the_interval_as_often_as_promised(
    count: int, at_least: float
) -> None:
    dice, hits, tries = random.Random(7), 0, 400
    for _ in range(tries):
        span = together([learnt(history(dice, count))])
        hits += span.low_s <= history(dice, 1)[0].ran_s <= span.high_s
    assert hits / tries >= at_least


def test_the_interval_narrows_with_data_and_the_error_of_its_middle_is_bounded() -> None:
    dice, ratios = random.Random(7), {}
    for count in (1, 5, 50):
        spans = [together([learnt(history(dice, count, spread=0.1))]) for _ in range(100)]
        ratios[count] = sum(s.high_s / s.low_s for s in spans) / len(spans)
        errors = [abs(math.sqrt(s.low_s * s.high_s) / 100 - 1) for s in spans]
        assert sum(errors) / len(errors) < 0.15
    assert ratios[1] > ratios[5] > ratios[50]
    assert ratios[50] < 1.6
    assert ratios[1] < 8


def test_one_cold_start_among_many_runs_does_not_move_the_estimate() -> None:
    dice = random.Random(7)
    plain = learnt(history(dice, 20))
    with_cold = learnt([*history(random.Random(7), 20), Run(77, 900)])
    assert with_cold.mean_s == pytest.approx(plain.mean_s, rel=0.1)


def test_runs_of_another_length_are_scaled_and_trusted_less() -> None:
    runs = [Run(77, 100.0)] * 20
    same, longer = learnt(runs), learnt(runs, 154)
    assert longer.mean_s == pytest.approx(2 * same.mean_s, rel=0.1)
    assert longer.spread > same.spread
    near = learnt([*runs, *[Run(154, 150.0)] * 3], 154)
    assert near.center == pytest.approx(math.log(150), abs=0.01)


def entry(n: int, owner: str, run: RunTime | None, **changes: float) -> Entry:
    base = {"steps_left": 1, "elapsed_s": None} | changes
    return Entry(f"job-{n}", owner, LANE, n, run=run, **base)  # type: ignore[arg-type]


@pytest.mark.parametrize("engines", [1, 3])
@pytest.mark.parametrize("owners", [("ada",), ("ada", "bob", "cyd")])
def test_start_and_end_fall_within_the_forecast(engines: int, owners: tuple[str, ...]) -> None:
    dice, started, made, tries = random.Random(11), 0, 0, 150
    for _ in range(tries):
        run = learnt(history(dice, 20))
        running = [entry(n, "ada", run, elapsed_s=dice.uniform(0, 80)) for n in range(engines)]
        waiting = [entry(10 + n, dice.choice(owners), run) for n in range(12)]
        job = dice.choice(waiting)
        said = forecast(job, waiting, running, engines)
        assert said.wait is not None
        assert said.eta is not None
        begun_s, ended_s = play(dice, job, waiting, running)
        started += said.wait.low_s <= begun_s <= said.wait.high_s
        made += said.eta.low_s <= ended_s <= said.eta.high_s
        # Whose turn it is, is not known from outside: every other owner may come first.
        assert said.eta.high_s - said.eta.low_s < 1.5 * ended_s + 150 * (1 + len(owners))
    assert started / tries >= 0.85
    assert made / tries >= 0.85


def play(
    dice: random.Random, job: Entry, waiting: list[Entry], running: list[Entry]
) -> tuple[float, float]:
    """When the job really begins and ends, with the executor's own turns."""
    turns, queue = Turns(), list(waiting)
    for one in running:
        turns.took(one.owner)
    free = [max(1.0, history(dice, 1)[0].ran_s - (one.elapsed_s or 0)) for one in running]
    while True:
        engine = free.index(min(free))
        taken = queue.pop(turns.pick([one.owner for one in queue]))
        turns.took(taken.owner)
        begun_s = free[engine]
        free[engine] += history(dice, 1)[0].ran_s
        if taken is job:
            return begun_s, free[engine]


def test_places_are_those_of_the_turns() -> None:
    run = learnt([Run(77, 100.0)])
    waiting = [entry(n, owner, run) for n, owner in enumerate(["ada"] * 20 + ["bob"] * 2)]
    places = {one.job_id: forecast(one, waiting, [], 1).position for one in waiting}
    assert (places["job-0"], places["job-20"], places["job-1"], places["job-21"]) == (1, 2, 3, 4)
    assert places["job-19"] == 22
    assert sorted(places.values()) == list(range(1, 23))


def test_no_time_is_said_when_a_step_ahead_is_unknown_or_no_engine_is_there() -> None:
    run = learnt([Run(77, 100.0)])
    job, other = entry(2, "ada", run), entry(1, "ada", None)
    unknown = forecast(job, [other, job], [], 1)
    assert (unknown.position, unknown.wait, unknown.eta) == (2, None, None)
    assert unknown.run is not None
    assert forecast(job, [job], [], 0).eta is None


def test_a_job_of_many_steps_may_have_to_let_others_in_between() -> None:
    run = learnt([Run(77, 100.0)] * 30)
    job = entry(1, "ada", run, steps_left=4)
    alone = forecast(job, [job], [], 1)
    crowded = forecast(
        job, [job, *(entry(9 + n, "bob", run, steps_left=4) for n in range(3))], [], 1
    )
    assert alone.eta is not None
    assert crowded.eta is not None
    assert crowded.eta.low_s == pytest.approx(alone.eta.low_s)
    assert crowded.eta.high_s > 2 * alone.eta.high_s


@pytest.mark.parametrize(
    ("load", "paused", "state"),
    [
        (LaneLoad(LANE, 0, 1, 1), frozenset(), "open"),
        (LaneLoad(LANE, 5, 1, 1), frozenset(), "open"),
        (LaneLoad(LANE, 6, 1, 1), frozenset(), "saturated"),
        (LaneLoad(LANE, 6, 2, 2), frozenset(), "open"),
        (LaneLoad(LANE, 2, 1, 1, next_wait_s=601), frozenset(), "saturated"),
        (LaneLoad(LANE, 1, 0, 0), frozenset(), "stalled"),
        (LaneLoad(LANE, 1, 0, 0), frozenset({f"lane.{LANE}"}), "paused"),
        (LaneLoad(LANE, 0, 0, 0), frozenset({"all"}), "paused"),
        (LaneLoad(LANE, 0, 0, 0), frozenset(), "open"),
    ],
)
def test_state_of_the_queue(load: LaneLoad, paused: frozenset[str], state: str) -> None:
    status = queue_status([load], paused, BOUNDS)
    assert status.state == state
    assert [w.code for w in status.warnings] == ([] if state == "open" else [f"queue_{state}"])
