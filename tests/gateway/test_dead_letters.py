"""Dead letters: a live job that can only go on by one fails; nothing else does."""

from __future__ import annotations

import pytest

from contracts.events import AnyJobEvent
from contracts.lifecycle import JobState, fold
from contracts.subjects import CONSUMERS
from runtime.ids import new_id
from services.gateway.dead_letters import stalls
from tests.support.examples import JOB
from tests.support.gateway import World, whole_job
from tests.support.waiting import eventually


def state_after(count: int) -> JobState:
    return fold(JOB, whole_job(JOB)[:count])


@pytest.mark.parametrize(
    ("known", "given_up", "wanted"),
    [
        (1, 0, True),
        (2, 0, False),
        (2, 1, True),
        (3, 1, False),
        (4, 3, True),
        (6, 3, True),
        (7, 3, False),
        (8, 7, True),
        (9, 7, False),
        (0, 0, False),
    ],
)
def test_only_what_the_job_waits_for_stalls_it(known: int, given_up: int, wanted: bool) -> None:
    event: AnyJobEvent = whole_job(JOB)[given_up]
    assert stalls(state_after(known), event) is wanted


async def test_given_up_submit_fails_the_job_and_says_so(world: World) -> None:
    job_id = new_id()
    await world.say(whole_job(job_id)[0])
    consumer = next(c for c in CONSUMERS if c.durable == "ingest-jobs")
    delivery = await world.buses["ingest"].fetch(consumer, timeout_s=5)
    assert delivery is not None
    await delivery.terminate()
    job = await world.reaches(job_id, "failed")
    assert job["error"]["code"] == "internal"
    tail = await world.buses["gateway"].job(job_id)
    assert tail.state.failed is not None
    assert "ingest-jobs" in str(tail.state.failed.error.detail)


async def test_given_up_message_of_a_job_that_went_on_changes_nothing(world: World) -> None:
    job_id, later = new_id(), new_id()
    consumer = next(c for c in CONSUMERS if c.durable == "ingest-jobs")
    await world.say(*whole_job(job_id)[:3])
    delivery = await world.buses["ingest"].fetch(consumer, timeout_s=5)
    assert delivery is not None
    await delivery.terminate()
    await world.say(whole_job(later)[0])
    second = await world.buses["ingest"].fetch(consumer, timeout_s=5)
    assert second is not None
    await second.terminate()
    await world.reaches(later, "failed")
    assert (await world.job(job_id))["status"] == "queued"

    async def stays() -> bool:
        return (await world.buses["gateway"].job(job_id)).state.failed is None

    await eventually(stays)
