"""The bus against three nats-servers that hold a copy of each stream."""

from __future__ import annotations

import asyncio
from pathlib import Path

from contracts.errors import ErrorCode, error_info
from contracts.events import AnyJobEvent, JobCancelled, JobFailed, JobSubmitted
from contracts.lifecycle import JobState
from runtime.bus import Bus
from runtime.ids import new_id
from runtime.provision import provision
from runtime.stamp import stamp
from tests.support.bus import TEST_LANES
from tests.support.examples import whole_job
from tests.support.nats_cluster import running_cluster

JOBS = 20


async def test_decisions_at_once_end_each_job_once_though_copies_are_on_their_way(
    tmp_path: Path,
) -> None:
    """A server refuses what comes while another write is not yet agreed on, in words of its own."""

    async def end_in_two_ways(gateway: Bus, executor: Bus, job_id: str) -> int:
        def cancel(state: JobState) -> AnyJobEvent | None:
            return JobCancelled(**stamp(None), job_id=job_id, service="gateway")

        def fail(state: JobState) -> AnyJobEvent | None:
            error = error_info(ErrorCode.ENGINE_FAILED)
            return JobFailed(**stamp(None), job_id=job_id, service="executor", error=error)

        first = whole_job(job_id)[0]
        assert isinstance(first, JobSubmitted)
        await gateway.publish(first.model_copy(update={"event_id": new_id()}))
        won = await asyncio.gather(
            *(gateway.decide(job_id, cancel) for _ in range(3)),
            *(executor.decide(job_id, fail) for _ in range(3)),
        )
        assert len((await gateway.job(job_id)).events) == 2
        return len([event for event in won if event is not None])

    with running_cluster(tmp_path) as cluster:
        await provision(cluster.url, TEST_LANES[:1], replicas=3)
        async with (
            Bus("gateway", cluster.url, on_closed=lambda: None) as gateway,
            Bus("executor", cluster.url, on_closed=lambda: None) as executor,
        ):
            ended = await asyncio.gather(
                *(end_in_two_ways(gateway, executor, new_id()) for _ in range(JOBS))
            )
    assert ended == [1] * JOBS
