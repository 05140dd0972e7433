"""Fair turns between owners: the pure order, and on a real bus with a simulated engine."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from contracts.subjects import lane_consumer
from services.executor.lane_queue import LaneQueue, owner_of
from services.executor.turns import Turns
from tests.executor.scene import LANE, Scene

OWNERS = st.sampled_from(["ada", "bob", "cyd", "dan"])


@given(st.lists(OWNERS, min_size=1, max_size=40), st.lists(OWNERS, max_size=40))
def test_a_waiting_owner_is_served_within_as_many_turns_as_there_are_owners(
    first: list[str], later: list[str]
) -> None:
    turns, queue, arrivals = Turns(), list(first), list(later)
    passed_over: dict[str, int] = {}
    while queue:
        taken = queue.pop(turns.pick(queue))
        turns.took(taken)
        passed_over.pop(taken, None)
        for owner in set(queue) - {taken}:
            passed_over[owner] = passed_over.get(owner, 0) + 1
            assert passed_over[owner] < 4
        if arrivals:
            queue.append(arrivals.pop())


@given(st.lists(OWNERS, min_size=1, max_size=30))
def test_within_an_owner_the_oldest_goes_first(queue: list[str]) -> None:
    turns = Turns()
    owner = queue[turns.pick(queue)]
    assert queue.index(owner) == turns.pick(queue)


def test_one_owner_alone_never_needs_a_second_look() -> None:
    turns = Turns()
    assert not turns.is_turn_of("lane", "ada")
    turns.looked("lane", ["ada", "ada"], turns.heard_so_far)
    for _ in range(5):
        turns.took("ada")
        turns.heard("lane", "ada")
        assert turns.is_turn_of("lane", "ada")


def test_who_is_heard_during_a_look_is_not_forgotten_by_it() -> None:
    turns = Turns()
    since = turns.heard_so_far
    turns.heard("lane", "bob")
    turns.looked("lane", ["ada"], since)
    turns.took("ada")
    assert not turns.is_turn_of("lane", "ada")
    turns.looked("lane", ["ada"], turns.heard_so_far)
    assert turns.is_turn_of("lane", "ada")


def test_after_a_while_the_lane_is_looked_at_again() -> None:
    turns = Turns()
    turns.looked("lane", ["ada"], turns.heard_so_far)
    turns.forget("lane")
    assert not turns.is_turn_of("lane", "ada")


async def test_twenty_jobs_of_one_owner_do_not_keep_another_waiting(scene: Scene) -> None:
    scene.comfy.speed(0.05)
    crowd = [await scene.job(owner="ada", sampling=2) for _ in range(20)]
    async with scene.executor():
        await scene.until(crowd[1], lambda state: state.started)
        single = await scene.job(owner="bob", sampling=2)
        before = len(scene.comfy.journal("started"))
        await scene.executed(single, within_s=40)
        after = len(scene.comfy.journal("started"))
        # The running and the staged prompt, the one being submitted, and the one after bob's.
        assert after - before <= 4
        waiting = [job for job in crowd if (await scene.state(job)).assigned is None]
        assert len(waiting) >= 12
        for job in crowd:
            await scene.executed(job, within_s=60)
    started = [run["prompt_id"] for run in scene.comfy.journal("started")]
    assert len(started) == len(set(started)) == 21


async def test_what_was_looked_at_goes_back_undelayed(scene: Scene) -> None:
    jobs = [await scene.job(owner="ada") for _ in range(6)]
    jobs.append(await scene.job(owner="bob"))
    queue = LaneQueue(scene.buses["executor"])
    order = []
    for _ in jobs:
        taken = await queue.next(LANE, len(jobs))
        assert taken is not None
        order.append((owner_of(taken), taken.event.model_dump()["job_id"]))
        await taken.ack()
    assert order[:2] == [("ada", jobs[0]), ("bob", jobs[6])]
    # In which order the server offers again what was given back is its own affair.
    assert sorted(job for _, job in order[2:]) == sorted(jobs[1:6])
    lag = await scene.buses["executor"].consumer_lag(lane_consumer(LANE))
    assert (lag.pending, lag.ack_pending) == (0, 0)


async def test_a_look_that_is_cut_short_loses_nothing(scene: Scene) -> None:
    jobs = {await scene.job(owner="ada") for _ in range(30)} | {await scene.job(owner="bob")}
    queue = LaneQueue(scene.buses["executor"])
    queue.turns.took("ada")
    looking = asyncio.create_task(queue.next(LANE, len(jobs)))
    await asyncio.sleep(0.02)
    looking.cancel()
    await asyncio.wait([looking])
    if not looking.cancelled() and (kept := looking.result()) is not None:
        await kept.give_back()
    seen: set[str] = set()
    while jobs - seen:
        taken = await scene.buses["executor"].fetch(lane_consumer(LANE), 3)
        assert taken is not None
        seen.add(taken.event.model_dump()["job_id"])
        await taken.ack()
