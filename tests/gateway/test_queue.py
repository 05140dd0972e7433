"""The queue from the outside: places, times, warnings, and the limit of active jobs."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts.events import StepFinished
from runtime.engine_board import EngineBoard
from runtime.ids import new_id
from runtime.stamp import now
from services.gateway import outlook
from tests.gateway.test_jobs import fail
from tests.gateway.test_submitting import animate_body
from tests.support import examples
from tests.support.gateway import (
    StartGateway,
    World,
    board_with_engine,
    simulated_engine,
    whole_job,
)
from tests.support.waiting import eventually


async def engine_with_lane(world: World, **changes: Any) -> None:
    engine = simulated_engine().model_copy(update={"lanes": (examples.LANE,), **changes})
    await EngineBoard(world.buses["executor"]).put(engine)


def took(job_id: str, ran_s: float) -> list[Any]:
    """A whole job whose step ran so long."""
    return [
        event.model_copy(update={"result": event.result.model_copy(update={"ran_s": ran_s})})
        if isinstance(event, StepFinished)
        else event
        for event in whole_job(job_id)
    ]


async def test_a_waiting_job_is_told_when_it_will_be_made_once_something_like_it_ran(
    world: World,
) -> None:
    await engine_with_lane(world)
    first, second = new_id(), new_id()
    await world.say(*whole_job(first)[:4], *whole_job(second)[:4])

    async def place(job_id: str) -> dict[str, Any]:
        return dict((await world.job(job_id))["queue"] or {})

    async def second_waits() -> bool:
        return (await place(second)).get("position") == 2

    await eventually(second_waits)
    assert (await place(second))["eta_high_s"] is None
    for ran_s in (95.0, 100.0, 105.0, 98.0, 102.0):
        await world.say(*took(new_id(), ran_s))

    async def known() -> bool:
        return bool((await place(second)).get("eta_high_s"))

    await eventually(known)
    one, two = await place(first), await place(second)
    assert one["wait_low_s"] == one["wait_high_s"] == 0
    assert one["run_low_s"] < 100 < one["run_high_s"]
    assert two["wait_low_s"] < 100 < two["wait_high_s"]
    assert two["eta_low_s"] < 200 < two["eta_high_s"]
    assert two["eta_low_s"] == pytest.approx(two["wait_low_s"] + two["run_low_s"], abs=0.3)


async def test_a_saturated_and_a_stalled_queue_are_warnings(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "WATCH_EVERY_S", 0.2)
    await engine_with_lane(world)
    assert (await world.http.get("/api/queue")).json()["state"] == "open"
    for _ in range(11):
        await world.say(*whole_job(new_id())[:4])

    async def state() -> str:
        return str((await world.http.get("/api/queue")).json()["state"])

    async def saturated() -> bool:
        return await state() == "saturated"

    await eventually(saturated)
    found = (await world.http.get("/api/queue")).json()
    (lane,) = [one for one in found["lanes"] if one["waiting"]]
    assert (lane["waiting"], lane["engines"], found["waiting"]) == (11, 1, 11)
    offered = (await world.http.get("/api/capabilities")).json()["queue_warnings"]
    assert [one["code"] for one in offered] == ["queue_saturated"]
    assert offered[0]["sentence"]
    assert offered[0]["remedy"]
    labels = {"lane": examples.LANE, "state": "saturated"}
    await eventually(lambda: REGISTRY.get_sample_value("animatrix_queue_warning", labels) == 1)
    await engine_with_lane(world, health="unreachable", seen_at=now())

    async def stalled() -> bool:
        return await state() == "stalled"

    await eventually(stalled)
    await world.http.post("/api/admin/queue/pause", json={})

    async def paused() -> bool:
        return await state() == "paused"

    await eventually(paused)


async def test_retry_of_an_owner_at_the_limit_is_refused_until_a_job_has_ended(
    gateway: StartGateway,
) -> None:
    async with gateway(max_active_jobs=1) as world:
        failed = new_id()
        await world.say(*whole_job(failed)[:6])
        await fail(world, failed)
        await board_with_engine(world)
        sent = await world.http.post("/api/jobs/animate", json=await animate_body(world))
        assert sent.status_code == 202, sent.text
        refused = await world.http.post(f"/api/jobs/{failed}/retry")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_jobs")
        await world.http.post(f"/api/jobs/{sent.json()['job_id']}/cancel")
        assert (await world.http.post(f"/api/jobs/{failed}/retry")).status_code == 202


async def test_an_owner_at_the_limit_is_refused_until_a_job_has_ended(
    gateway: StartGateway,
) -> None:
    async with gateway(max_active_jobs=3) as world:
        await board_with_engine(world)
        body = await animate_body(world)
        sent = [world.http.post("/api/jobs/animate", json=body) for _ in range(8)]
        answers = await asyncio.gather(*sent)
        assert Counter(a.status_code for a in answers) == {202: 3, 429: 5}
        refused = next(a for a in answers if a.status_code == 429)
        assert refused.json()["code"] == "too_many_jobs"
        assert "3 jobs" in refused.json()["detail"]
        assert "cancel" in refused.json()["remedy"]
        assert refused.headers["retry-after"] == "30"
        mine = [a.json()["job_id"] for a in answers if a.status_code == 202]
        assert (await world.http.post(f"/api/jobs/{mine[0]}/cancel")).status_code == 202
        key = {"Idempotency-Key": "k"}
        again = await world.http.post("/api/jobs/animate", json=body, headers=key)
        assert again.status_code == 202
        repeated = await world.http.post("/api/jobs/animate", json=body, headers=key)
        assert repeated.json()["job_id"] == again.json()["job_id"]
        assert (await world.http.post("/api/jobs/animate", json=body)).status_code == 429
