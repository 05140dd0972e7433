"""Replay: a failed job as another attempt, any other ended one as a new job; first only shown."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import ErrorCode, error_info
from contracts.events import JobCancelled, JobFailed
from runtime.ids import new_id
from runtime.stamp import stamp
from tests.support.gateway import World, whole_job
from tests.support.waiting import eventually


async def replay(
    world: World, job_id: str, headers: dict[str, str] | None = None, **order: Any
) -> tuple[int, dict[str, Any]]:
    answer = await world.http.post(f"/api/admin/replay/{job_id}", json=order, headers=headers)
    return answer.status_code, answer.json()


async def failed_job(world: World, events: int) -> str:
    """A job that failed after so many events of a whole one."""
    job_id = new_id()
    error = error_info(ErrorCode.INTERNAL)
    failed = JobFailed(**stamp(None), job_id=job_id, service="gateway", error=error)
    await world.say(*whole_job(job_id)[:events], failed)
    await world.reaches(job_id, "failed")
    return job_id


async def told(world: World, job_id: str) -> list[str]:
    return [event.event for event in (await world.buses["gateway"].job(job_id)).events]


async def test_a_dry_run_says_what_would_be_published_and_publishes_nothing(world: World) -> None:
    job_id = await failed_job(world, 5)
    before = await told(world, job_id)
    status, shown = await replay(world, job_id, dry_run=True)
    assert (status, shown["kind"], shown["job_id"]) == (202, "another_attempt", job_id)
    assert shown["subject"] == f"animatrix.v1.jobs.{job_id}.retry_requested"
    assert shown["event"]["attempt"] == 2
    assert shown["keeps"] == ["the plan with its seed", "prepared media", "record and run plan"]
    assert shown["repeats"] == ["step 1 of 1 runs", "results are collected and verified"]
    assert await told(world, job_id) == before


async def test_a_failed_job_gets_another_attempt_from_the_step_that_failed(world: World) -> None:
    job_id = await failed_job(world, 5)
    status, shown = await replay(world, job_id)
    assert (status, shown["dry_run"]) == (202, False)
    assert (await told(world, job_id))[-1] == "retry_requested"
    assert (await world.reaches(job_id, "queued"))["attempt"] == 2


@pytest.mark.parametrize(
    ("start", "state"),
    [
        ("media", "accepted"),
        ("composition", "uploaded"),
        ("execution", "queued"),
        ("collection", "collecting_outputs"),
    ],
)
async def test_a_failed_job_is_taken_up_where_it_is_asked(
    world: World, start: str, state: str
) -> None:
    job_id = await failed_job(world, 8)
    assert (await replay(world, job_id, start=start))[0] == 202
    assert (await world.reaches(job_id, state))["attempt"] == 2


async def test_a_place_that_the_job_never_came_to_is_refused(world: World) -> None:
    job_id = await failed_job(world, 2)
    for start in ("execution", "collection"):
        status, problem = await replay(world, job_id, start=start)
        assert (status, problem["code"]) == (409, "job_not_retryable")
    assert (await world.job(job_id))["status"] == "failed"


async def test_a_completed_job_is_made_again_as_a_new_one_and_stays_as_it_is(world: World) -> None:
    job_id = await world.completed_job()
    before = await told(world, job_id)
    status, shown = await replay(world, job_id)
    assert (status, shown["kind"]) == (202, "new_job")
    assert shown["job_id"] != job_id
    made = await world.reaches(shown["job_id"], "accepted")
    original = await world.job(job_id)
    assert made["settings_json"] == original["settings_json"]
    assert await told(world, job_id) == before
    old, new = [
        (await world.buses["gateway"].job(one)).state.submitted for one in (job_id, made["job_id"])
    ]
    assert old is not None
    assert new is not None
    assert (new.plan, new.causation_id) == (old.plan, old.event_id)


async def test_the_same_key_makes_one_new_job(world: World) -> None:
    job_id = await world.completed_job()
    key = {"Idempotency-Key": "again"}
    first = await replay(world, job_id, key)
    assert (await replay(world, job_id, key))[1]["job_id"] == first[1]["job_id"]
    status, problem = await replay(world, await world.completed_job(), key)
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


async def test_a_cancelled_job_is_made_again_as_a_new_one(world: World) -> None:
    job_id = new_id()
    cancelled = JobCancelled(**stamp(None), job_id=job_id, service="gateway")
    await world.say(*whole_job(job_id)[:2], cancelled)
    await world.reaches(job_id, "cancelled")
    status, shown = await replay(world, job_id)
    assert (status, shown["kind"]) == (202, "new_job")


async def test_a_running_job_is_not_replayed(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:6])
    await world.reaches(job_id, "executing")
    status, problem = await replay(world, job_id)
    assert (status, problem["code"]) == (409, "job_not_finished")
    assert (await replay(world, new_id()))[0] == 404


async def test_a_new_job_begins_with_its_media(world: World) -> None:
    status, problem = await replay(world, await world.completed_job(), start="collection")
    assert (status, problem["code"]) == (422, "settings_conflict")


async def test_a_workflow_version_that_is_not_released_is_refused(world: World) -> None:
    job_id = await failed_job(world, 5)
    status, problem = await replay(world, job_id, workflow_version="9.9.9")
    assert (status, problem["code"]) == (422, "workflow_version_unfit")
    assert "9.9.9" in problem["detail"]


async def test_an_identical_rebuild_is_told_so(world: World) -> None:
    await world.completed_job()
    await failed_job(world, 5)
    await world.buses["ingest"].client.publish("animatrix.v1.jobs.x.y", b"{not json")
    asked = await world.http.post("/api/admin/rebuilds")
    assert asked.status_code == 202, asked.text

    async def done() -> dict[str, Any] | None:
        route = f"/api/admin/rebuilds/{asked.json()['rebuild_id']}"
        found: dict[str, Any] = (await world.http.get(route)).json()
        return found if found["state"] == "done" else None

    rebuilt = await eventually(done)
    assert rebuilt["identical"] is True
    assert rebuilt["before_sha256"] == rebuilt["after_sha256"]
    assert rebuilt["jobs_sequence"] >= 15
    assert rebuilt["requested_by"] == "local"
    job_id = new_id()
    await world.say(*whole_job(job_id)[:3])
    await world.reaches(job_id, "queued")
    assert (await world.http.get("/api/admin/rebuilds/none")).status_code == 404
