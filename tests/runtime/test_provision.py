"""The provisioner: what the streams promise, and that running it again changes nothing."""

from __future__ import annotations

import httpx
import nats

from contracts import subjects
from runtime.nats_process import NatsProcess
from runtime.provision import provision
from tests.support.bus import TEST_LANES, BusFactory
from tests.support.examples import whole_job


async def test_provisioning_again_keeps_events_and_consumers(
    bus_factory: BusFactory, nats_server: NatsProcess
) -> None:
    gateway = await bus_factory("gateway")
    await gateway.publish(whole_job()[0])
    await provision(nats_server.url, TEST_LANES)
    assert (await gateway.stream_state(subjects.JOBS_STREAM)).messages == 1
    for consumer in (*subjects.CONSUMERS, *map(subjects.lane_consumer, TEST_LANES)):
        await gateway.consumer_lag(consumer)


async def test_events_are_kept_for_ever_on_disk(provisioned: NatsProcess) -> None:
    client = await nats.connect(provisioned.url)
    for name in (subjects.JOBS_STREAM, subjects.ASSETS_STREAM):
        config = (await client.jetstream().stream_info(name)).config
        assert config.storage == "file"
        assert (config.max_age or 0) == 0
        assert (config.max_msgs, config.max_bytes, config.max_msgs_per_subject) == (-1, -1, -1)
        assert config.discard == "new"
        assert config.allow_direct
    await client.close()


async def test_the_server_syncs_every_write(provisioned: NatsProcess) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{provisioned.monitor_url}/jsz?config=1")
    assert answer.json()["config"]["sync_always"] is True


async def test_events_survive_a_killed_server(
    bus_factory: BusFactory, nats_server: NatsProcess
) -> None:
    gateway = await bus_factory("gateway")
    for event in [whole_job()[0]]:
        await gateway.publish(event)
    nats_server.kill()
    nats_server.start()
    other = await bus_factory("ingest")
    assert [e.event for e in (await other.job(whole_job()[0].job_id)).events] == ["job_submitted"]
