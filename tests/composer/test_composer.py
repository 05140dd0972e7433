"""The composer on a real bus: what it says after each event, and that it says it once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest_asyncio

from contracts import events as e
from contracts import keys
from contracts.base import sha256_hex
from contracts.errors import ErrorCode, error_info
from contracts.plan import RunPlan
from contracts.subjects import CONSUMERS
from planning.registry import WorkflowRegistry
from planning.requests import JobRequest
from runtime.bus import Bus
from runtime.media_store_local import LocalMediaStore
from runtime.outcome import Ack
from runtime.stamp import stamp
from runtime.work import Subscription, work
from services.composer.composition import compose
from services.composer.handlers import Deps, on_media_prepared, on_retry_requested
from tests.composer.jobs import media_prepared, retry, submitted
from tests.planning.examples import WORKFLOWS
from tests.support.bus import BusFactory
from tests.support.examples import step_result
from tests.support.waiting import eventually

COMPOSER = next(c for c in CONSUMERS if c.service == "composer")


class Stage:
    """The composer's neighbours on the bus."""

    def __init__(self, buses: dict[str, Bus], media: LocalMediaStore) -> None:
        self.bus = buses
        self.deps = Deps(bus=buses["composer"], media=media, workflows=WORKFLOWS)
        self.media = media

    async def job(
        self, request: JobRequest | None = None
    ) -> tuple[e.JobSubmitted, e.MediaPrepared]:
        """A job whose media are prepared."""
        job = submitted(request)
        prepared = media_prepared(job)
        await self.bus["gateway"].publish(job)
        await self.bus["ingest"].publish(prepared)
        return job, prepared

    async def names(self, job_id: str) -> list[str]:
        """The names of the job's events so far."""
        return [event.event for event in (await self.bus["composer"].job(job_id)).events]

    async def run_first_step(self, job_id: str, until: str) -> None:
        """What an executor says of step 0, attempt 1, up to an event."""
        at: dict[str, Any] = {"job_id": job_id, "step": 0, "attempt": 1, "engine_id": "comfyui-0"}
        prompt = step_result().comfy_prompt_id
        said: list[e.JobEvent] = [
            e.StepAssigned(
                **stamp(None), **at, executor_id="x", lease_epoch=1, comfy_prompt_id=prompt
            ),
            e.StepStarted(**stamp(None), **at, comfy_prompt_id=prompt, simulated=True),
            e.StepFinished(**stamp(None), job_id=job_id, result=step_result()),
        ]
        for event in said:
            await self.bus["executor"].publish(event)
            if event.event == until:
                return

    async def fail(self, job_id: str, service: Any = "executor") -> None:
        """The job fails."""
        error = error_info(ErrorCode.ENGINE_FAILED)
        failed = e.JobFailed(**stamp(None), job_id=job_id, service=service, error=error)
        assert await self.bus[service].decide(job_id, lambda _: failed) is not None

    async def retry(self, job: e.JobSubmitted, attempt: int = 2) -> e.RetryRequested:
        """An operator asks for another attempt."""
        event = retry(job, attempt)
        await self.bus["gateway"].publish(event)
        return event


@pytest_asyncio.fixture
async def stage(bus_factory: BusFactory, media_store: LocalMediaStore) -> Stage:
    buses = {
        name: await bus_factory(name)
        for name in ("gateway", "ingest", "composer", "executor", "collector")
    }
    return Stage(buses, media_store)


async def test_prepared_media_become_a_composed_job_with_its_first_step_ready(stage: Stage) -> None:
    job, prepared = await stage.job()
    assert await on_media_prepared(prepared, stage.deps) == Ack()
    tail = await stage.bus["composer"].job(job.job_id)
    composed, ready = tail.events[2:]
    assert isinstance(composed, e.JobComposed)
    assert isinstance(ready, e.StepReady)
    assert (ready.lane, ready.step, ready.attempt, ready.steps) == ("comfyui-animate-fp8", 0, 1, 1)
    assert ready.run_plan == composed.run_plan
    for file in (composed.record, composed.run_plan):
        assert sha256_hex(await stage.media.read_bytes(file.key)) == file.sha256
    plan = RunPlan.model_validate_json(await stage.media.read_bytes(composed.run_plan.key))
    graph = await stage.media.read_bytes(plan.comfy_steps[0].graph.key)
    assert sha256_hex(graph) == plan.comfy_steps[0].graph.sha256
    assert {event.causation_id for event in (composed, ready)} == {prepared.event_id}


async def test_events_from_the_stream_reach_the_composer(stage: Stage) -> None:
    stopping = asyncio.Event()

    async def handle(event: e.MediaPrepared) -> Ack:
        await on_media_prepared(event, stage.deps)
        return Ack()

    subscription = Subscription(COMPOSER, {e.MediaPrepared: handle}, slots=2)
    working = asyncio.create_task(work(stage.bus["composer"], subscription, stopping))
    jobs = [(await stage.job())[0] for _ in range(5)]
    ids = [job.job_id for job in jobs]

    async def all_are_ready() -> bool:
        return all([(await stage.names(job_id))[-1] == "step_ready" for job_id in ids])

    condition: Callable[[], bool | Awaitable[bool]] = all_are_ready
    assert await eventually(condition)
    stopping.set()
    await working


async def test_delivery_again_says_nothing_twice_and_keeps_the_bytes(stage: Stage) -> None:
    job, prepared = await stage.job()
    await on_media_prepared(prepared, stage.deps)
    before = await stage.media.read_bytes(keys.run_plan(job.job_id))
    for _ in range(3):
        assert await on_media_prepared(prepared, stage.deps) == Ack()
    assert await stage.names(job.job_id) == [
        "job_submitted",
        "media_prepared",
        "job_composed",
        "step_ready",
    ]
    assert await stage.media.read_bytes(keys.run_plan(job.job_id)) == before


async def test_two_composers_with_the_same_message_compose_once(stage: Stage) -> None:
    job, prepared = await stage.job()
    await asyncio.gather(*(on_media_prepared(prepared, stage.deps) for _ in range(6)))
    names = await stage.names(job.job_id)
    assert sorted(names) == ["job_composed", "job_submitted", "media_prepared", "step_ready"]


async def test_a_composer_that_died_between_its_two_events_is_finished_by_the_next(
    stage: Stage,
) -> None:
    job, prepared = await stage.job()
    made = compose(job, prepared, WORKFLOWS)
    for key, data in made.files.items():
        await stage.media.put_bytes(key, data)
    half = e.JobComposed(
        **stamp(prepared),
        job_id=job.job_id,
        record=made.run_plan.record,
        run_plan=made.run_plan_file,
        steps=1,
    )
    await stage.bus["composer"].publish(half)
    await on_media_prepared(prepared, stage.deps)
    names = await stage.names(job.job_id)
    assert names[-2:] == ["job_composed", "step_ready"]
    assert names.count("job_composed") == 1


async def test_an_ended_or_cancelled_job_is_left_alone(stage: Stage) -> None:
    job, prepared = await stage.job()
    ended = e.JobCancelled(**stamp(None), job_id=job.job_id, service="gateway")
    await stage.bus["gateway"].publish(ended)
    assert await on_media_prepared(prepared, stage.deps) == Ack()
    assert (await stage.names(job.job_id))[-1] == "job_cancelled"
    assert await stage.media.stat(keys.run_plan(job.job_id)) is None


async def test_a_cancel_that_nobody_confirmed_yet_ends_the_job_here(stage: Stage) -> None:
    job, prepared = await stage.job()
    wish = e.CancelRequested(**stamp(None), job_id=job.job_id, requested_by="local")
    await stage.bus["gateway"].publish(wish)
    await on_media_prepared(prepared, stage.deps)
    assert (await stage.bus["composer"].job(job.job_id)).state.state == "cancelled"


async def test_a_job_that_cannot_be_bound_fails_with_the_exact_cause_for_operators(
    stage: Stage,
) -> None:
    job, prepared = await stage.job()
    deps = Deps(stage.bus["composer"], stage.media, WorkflowRegistry(()))
    assert await on_media_prepared(prepared, deps) == Ack()
    failed = (await stage.bus["composer"].job(job.job_id)).state.failed
    assert failed is not None
    assert failed.error.code == ErrorCode.WORKFLOW_BINDING_FAILED
    assert "wan22_animate_move 1.1.0 is not here" in (failed.error.detail or "")
    assert "wan22" not in failed.error.sentence


async def test_a_retry_makes_the_failed_step_ready_for_the_next_attempt(stage: Stage) -> None:
    job, prepared = await stage.job()
    await on_media_prepared(prepared, stage.deps)
    await stage.run_first_step(job.job_id, until="step_started")
    await stage.fail(job.job_id)
    event = await stage.retry(job)
    assert await on_retry_requested(event, stage.deps) == Ack()
    assert await on_retry_requested(event, stage.deps) == Ack()
    ready = (await stage.bus["composer"].job(job.job_id)).state.ready
    assert ready is not None
    assert (ready.step, ready.attempt) == (0, 2)
    assert (await stage.names(job.job_id)).count("step_ready") == 2


async def test_a_retry_after_a_refused_result_runs_the_steps_again(stage: Stage) -> None:
    job, prepared = await stage.job()
    await on_media_prepared(prepared, stage.deps)
    await stage.run_first_step(job.job_id, until="step_finished")
    await stage.fail(job.job_id, "collector")
    await on_retry_requested(await stage.retry(job), stage.deps)
    ready = (await stage.bus["composer"].job(job.job_id)).state.ready
    assert ready is not None
    assert (ready.step, ready.attempt) == (0, 2)


async def test_a_retry_of_a_job_that_failed_while_composing_composes_it(stage: Stage) -> None:
    job, prepared = await stage.job()
    await on_media_prepared(
        prepared, Deps(stage.bus["composer"], stage.media, WorkflowRegistry(()))
    )
    await on_retry_requested(await stage.retry(job), stage.deps)
    names = await stage.names(job.job_id)
    assert names[-3:] == ["retry_requested", "job_composed", "step_ready"]


async def test_a_retry_before_media_were_prepared_waits_for_them(stage: Stage) -> None:
    job = submitted()
    await stage.bus["gateway"].publish(job)
    await stage.fail(job.job_id, "ingest")
    assert await on_retry_requested(await stage.retry(job), stage.deps) == Ack()
    assert (await stage.names(job.job_id))[-1] == "retry_requested"
    prepared = media_prepared(job)
    await stage.bus["ingest"].publish(prepared)
    await on_media_prepared(prepared, stage.deps)
    ready = (await stage.bus["composer"].job(job.job_id)).state.ready
    assert ready is not None
    assert ready.attempt == 2


async def test_a_lost_run_plan_is_composed_again_to_the_same_bytes(stage: Stage) -> None:
    job, prepared = await stage.job()
    await on_media_prepared(prepared, stage.deps)
    key = keys.run_plan(job.job_id)
    before = await stage.media.read_bytes(key)
    await stage.media.delete(key)
    await stage.run_first_step(job.job_id, until="step_started")
    await stage.fail(job.job_id)
    await on_retry_requested(await stage.retry(job), stage.deps)
    assert await stage.media.read_bytes(key) == before


async def test_a_retry_from_composition_composes_the_same_bytes_again(stage: Stage) -> None:
    job, prepared = await stage.job()
    await on_media_prepared(prepared, stage.deps)
    first = (await stage.bus["composer"].job(job.job_id)).state.composed
    await stage.fail(job.job_id)
    event = retry(job, 2).model_copy(update={"start": "composition"})
    await stage.bus["gateway"].publish(event)
    assert await on_retry_requested(event, stage.deps) == Ack()
    state = (await stage.bus["composer"].job(job.job_id)).state
    assert state.composed is not None
    assert first is not None
    assert state.composed.event_id != first.event_id
    assert state.composed.run_plan == first.run_plan
    assert state.ready is not None
    assert state.ready.attempt == 2


async def test_a_retry_from_collection_is_not_the_composers(stage: Stage) -> None:
    job, prepared = await stage.job()
    await on_media_prepared(prepared, stage.deps)
    await stage.run_first_step(job.job_id, "step_finished")
    finished = e.ExecutionFinished(
        **stamp(None), job_id=job.job_id, attempt=1, report=prepared.prepared[0].file
    )
    await stage.bus["executor"].publish(finished)
    await stage.fail(job.job_id, "collector")
    event = retry(job, 2).model_copy(update={"start": "collection"})
    await stage.bus["gateway"].publish(event)
    assert await on_retry_requested(event, stage.deps) == Ack()
    assert (await stage.names(job.job_id))[-1] == "retry_requested"
