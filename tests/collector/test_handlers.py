"""How a job ends, on a real nats-server: once, whatever is delivered how often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from contracts import events as e
from contracts.base import StoredFile, sha256_hex
from contracts.errors import ErrorCode, error_info
from contracts.subjects import CONSUMERS
from runtime.media_store_local import LocalMediaStore
from runtime.outcome import Ack, Retry
from runtime.stamp import stamp
from runtime.work import Subscription, work
from services.collector.handlers import Deps, on_execution_finished, on_retry_requested
from services.collector.settings import Settings
from tests.collector.scene import Clip, Left, Order, Stage, leave
from tests.support.bus import BusFactory
from tests.support.examples import JOB
from tests.support.waiting import eventually

CONSUMER = next(c for c in CONSUMERS if c.durable == "collector-jobs")


@pytest.fixture
def stage(bus_factory: BusFactory) -> Stage:
    return Stage(bus_factory, {})


@pytest.fixture
async def left(media_store: LocalMediaStore, tmp_path: Path) -> Left:
    return await leave(media_store, tmp_path, Order(20, (20,)), [Clip(range(20))])


async def deps_on(stage: Stage, media: LocalMediaStore) -> Deps:
    return Deps(
        bus=await stage.bus("collector"),
        media=media,
        settings=Settings(),
        made_by="animatrix test",
    )


async def outputs_of(media: LocalMediaStore) -> set[str]:
    return {key.rpartition("/")[2] async for key in media.keys(f"jobs/{JOB}/outputs")}


async def test_a_finished_execution_becomes_a_completed_job(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    assert await on_execution_finished(event, deps) == Ack()
    state = (await deps.bus.job(JOB)).state
    assert state.state == "completed"
    assert state.completed is not None
    assert state.completed.causation_id == event.event_id
    assert state.completed.simulated
    assert await outputs_of(media_store) == {
        "video.mp4",
        "poster.jpg",
        "first_frame.jpg",
        "preview.webp",
        "job_manifest.json",
        "debug_metadata.json",
    }


async def test_delivery_after_completion_changes_nothing(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    await on_execution_finished(event, deps)
    before = await deps.bus.job(JOB)
    assert await on_execution_finished(event, deps) == Ack()
    assert (await deps.bus.job(JOB)).last_sequence == before.last_sequence


async def test_two_collectors_on_the_same_job_complete_it_once_with_the_files_it_names(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    outcomes = await asyncio.gather(*(on_execution_finished(event, deps) for _ in range(2)))
    assert outcomes == [Ack(), Ack()]
    tail = await deps.bus.job(JOB)
    completed = [one for one in tail.events if isinstance(one, e.JobCompleted)]
    assert len(completed) == 1
    video = completed[0].outputs.video
    assert sha256_hex(await media_store.read_bytes(video.key)) == video.sha256


async def test_a_cancel_before_collecting_ends_the_job_without_outputs(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    gateway = await stage.bus("gateway")
    await gateway.publish(e.CancelRequested(**stamp(None), job_id=JOB, requested_by="local"))
    assert await on_execution_finished(event, deps) == Ack()
    assert (await deps.bus.job(JOB)).state.state == "cancelled"
    assert await outputs_of(media_store) == set()


class _Interrupting(LocalMediaStore):
    """A store in which something happens when the manifest is written."""

    interruption: Callable[[], Awaitable[None]]

    async def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """See MediaStore."""
        if key.endswith("job_manifest.json"):
            await self.interruption()
        return await super().put_bytes(key, data)


async def test_a_cancel_while_collecting_withdraws_what_was_made(
    stage: Stage, media_store: LocalMediaStore, left: Left, tmp_path: Path
) -> None:
    deps, event = await deps_on(stage, media_store), await stage.play(left)
    gateway = await stage.bus("gateway")

    async def cancel() -> None:
        assert "video.mp4" in await outputs_of(media_store)
        await gateway.publish(e.CancelRequested(**stamp(None), job_id=JOB, requested_by="local"))

    media = _Interrupting(tmp_path / "media")
    media.interruption = cancel
    assert await on_execution_finished(event, replace(deps, media=media)) == Ack()
    assert (await deps.bus.job(JOB)).state.state == "cancelled"
    assert await outputs_of(media_store) == set()


async def test_an_end_by_another_service_while_collecting_stands(
    stage: Stage, media_store: LocalMediaStore, left: Left, tmp_path: Path
) -> None:
    deps, event = await deps_on(stage, media_store), await stage.play(left)
    gateway = await stage.bus("gateway")

    async def fail() -> None:
        error = error_info(ErrorCode.GENERATION_TIMEOUT)
        await gateway.publish(
            e.JobFailed(**stamp(None), job_id=JOB, service="gateway", error=error)
        )

    media = _Interrupting(tmp_path / "media")
    media.interruption = fail
    assert await on_execution_finished(event, replace(deps, media=media)) == Ack()
    tail = await deps.bus.job(JOB)
    assert tail.state.state == "failed"
    assert not any(isinstance(one, e.JobCompleted) for one in tail.events)


async def test_results_that_fail_their_checks_fail_the_job_with_the_exact_cause(
    stage: Stage, media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(20, (20,)), [Clip(range(19))])
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    assert await on_execution_finished(event, deps) == Ack()
    failed = (await deps.bus.job(JOB)).state.failed
    assert failed is not None
    assert (failed.error.code, failed.step, failed.attempt) == (ErrorCode.RESULT_INVALID, 0, 1)
    assert "19 frames instead of 20" in (failed.error.detail or "")
    assert failed.error.sentence == "The generated video did not pass its checks."


async def test_absent_results_fail_the_job_as_missing(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    await media_store.delete(left.report_file.key)
    await on_execution_finished(event, deps)
    failed = (await deps.bus.job(JOB)).state.failed
    assert failed is not None
    assert failed.error.code == ErrorCode.RESULT_MISSING


async def test_a_stale_execution_of_an_earlier_attempt_is_ignored(
    stage: Stage, media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(20, (20,)), [Clip(range(19))])
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    await on_execution_finished(event, deps)
    gateway = await stage.bus("gateway")
    await gateway.publish(
        e.RetryRequested(**stamp(None), job_id=JOB, requested_by="local", attempt=2)
    )
    before = await deps.bus.job(JOB)
    assert await on_execution_finished(event, deps) == Ack()
    assert (await deps.bus.job(JOB)).last_sequence == before.last_sequence


async def test_storage_that_is_away_is_tried_again(
    stage: Stage, media_store: LocalMediaStore, left: Left, tmp_path: Path
) -> None:
    deps = await deps_on(stage, media_store)
    event = await stage.play(left)
    media, away = tmp_path / "media", tmp_path / "away"
    media.rename(away)
    media.symlink_to(media)
    outcome = await on_execution_finished(event, deps)
    assert isinstance(outcome, Retry)
    media.unlink()
    away.rename(media)
    assert await on_execution_finished(event, deps) == Ack()
    assert (await deps.bus.job(JOB)).state.state == "completed"


async def test_the_consumer_brings_the_event_to_the_handler(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    stopping = asyncio.Event()
    handler = partial(on_execution_finished, deps=deps)
    subscription = Subscription(CONSUMER, {e.ExecutionFinished: handler})
    working = asyncio.create_task(work(deps.bus, subscription, stopping))
    await stage.play(left)

    async def completed() -> bool:
        return (await deps.bus.job(JOB)).state.state == "completed"

    async def settled() -> bool:
        lag = await deps.bus.consumer_lag(CONSUMER)
        return (lag.pending, lag.ack_pending) == (0, 0)

    conditions: tuple[Callable[[], bool | Awaitable[bool]], ...] = (completed, settled)
    for condition in conditions:
        await eventually(condition)
    stopping.set()
    await working


async def test_a_retry_from_collection_completes_the_job_without_running_a_step(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    await stage.play(left)
    collector, gateway = await stage.bus("collector"), await stage.bus("gateway")
    error = error_info(ErrorCode.INTERNAL, detail="the disk was full")
    failed = e.JobFailed(**stamp(None), job_id=JOB, service="collector", error=error)
    assert await collector.decide(JOB, lambda _: failed)
    retry = e.RetryRequested(
        **stamp(failed), job_id=JOB, requested_by="o", attempt=2, start="collection"
    )
    await gateway.publish(retry)
    assert await on_retry_requested(retry, deps) == Ack()
    state = (await deps.bus.job(JOB)).state
    assert state.state == "completed"
    assert state.completed is not None
    assert (state.completed.attempt, state.completed.causation_id) == (2, retry.event_id)


async def test_a_retry_from_elsewhere_is_not_the_collectors(
    stage: Stage, media_store: LocalMediaStore, left: Left
) -> None:
    deps = await deps_on(stage, media_store)
    await stage.play(left)
    collector, gateway = await stage.bus("collector"), await stage.bus("gateway")
    failed = e.JobFailed(
        **stamp(None), job_id=JOB, service="collector", error=error_info(ErrorCode.RESULT_INVALID)
    )
    assert await collector.decide(JOB, lambda _: failed)
    retry = e.RetryRequested(**stamp(failed), job_id=JOB, requested_by="o", attempt=2)
    await gateway.publish(retry)
    assert await on_retry_requested(retry, deps) == Ack()
    assert (await deps.bus.job(JOB)).state.state == "queued"
