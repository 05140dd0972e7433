"""Accounts of the bus, on a real server: each service does its work, none speaks for another."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from nats.errors import Error as NatsError

from contracts.engines import EngineSnapshot
from contracts.events import Event, Progress
from contracts.subjects import (
    CONSUMERS,
    JOBS_STREAM,
    PUBLISHES,
    Consumer,
    Service,
    lane_consumer,
    live_preview_subject,
    subject_of,
)
from runtime.bus import Bus
from runtime.bus_accounts import (
    ADMIN,
    SERVER_FILE,
    SERVICES,
    authorization,
    fresh_passwords,
    main,
    permissions,
)
from runtime.engine_board import EngineBoard
from runtime.ids import new_id
from runtime.leases import Lease
from runtime.live_previews import LivePreviews
from runtime.nats_process import NatsProcess, nats_binary
from runtime.outcome import Terminal
from runtime.provision import provision
from runtime.stamp import now
from tests.support import examples
from tests.support.bus import TEST_LANES
from tests.support.waiting import eventually

PASSWORDS = fresh_passwords()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsProcess]:
    made = NatsProcess(tmp_path / "nats", authorization=authorization(PASSWORDS))
    made.start()
    yield made
    made.stop()


@pytest_asyncio.fixture
async def buses(server: NatsProcess) -> AsyncIterator[dict[Service, Bus]]:
    await provision(server.url, TEST_LANES, password=PASSWORDS[ADMIN])
    async with AsyncExitStack() as stack:
        yield {
            service: await stack.enter_async_context(
                Bus(service, server.url, on_closed=lambda: None, password=PASSWORDS[service])
            )
            for service in SERVICES
        }


def whole_job(job_id: str) -> list[Event]:
    return [
        event.model_copy(update={"event_id": new_id(), "occurred_at": now()})
        for event in examples.whole_job(job_id)
    ]


def progress_of(job_id: str) -> Progress:
    place = {"step": 0, "steps": 1, "segment": 0, "segments": 1, "fraction": 0.5}
    return Progress(job_id=job_id, at=now(), phase="generating", **place)


async def told(bus: Bus, job_id: str) -> bool:
    return await bus.latest_progress(job_id) is not None


def sender_of(event: Event) -> Service:
    order: tuple[Service, ...] = ("executor", "ingest", "composer", "collector", "gateway")
    return next(service for service in order if event.event in PUBLISHES[service])


async def test_nobody_gets_in_without_an_account(server: NatsProcess) -> None:
    with pytest.raises(NatsError):
        await nats.connect(server.url, allow_reconnect=False, max_reconnect_attempts=0)


async def test_every_service_does_its_work_with_its_own_account(
    buses: dict[Service, Bus],
) -> None:
    job_id = new_id()
    for event in whole_job(job_id):
        await buses[sender_of(event)].publish(event)
    lane: Consumer = lane_consumer(TEST_LANES[0])
    given_up: set[str] = set()
    for consumer in (*CONSUMERS, lane):
        bus = buses[consumer.service]
        delivery = await bus.fetch(consumer, timeout_s=0.2)
        await buses["gateway"].consumer_lag(consumer)
        if delivery is not None:
            await delivery.settle(Terminal("given up"))
            given_up.add(consumer.durable)
    assert {"ingest-jobs", "composer-jobs", "collector-jobs"} <= given_up
    async for letter in buses["gateway"].dead_letters():
        given_up.remove(letter.consumer)
        await letter.ack()
        if not given_up:
            break
    await buses["executor"].progress(progress_of(job_id))
    await eventually(lambda: told(buses["gateway"], job_id))
    await LivePreviews(buses["executor"]).show(job_id, b"a picture")
    await eventually(lambda: LivePreviews(buses["gateway"]).latest(job_id))
    for service, bus in buses.items():
        assert (await bus.job(job_id)).state.ended, service
    holders: list[Service] = ["gateway", "executor"]
    for service in holders:
        lease = Lease(buses[service], f"of-{service}", service)
        assert await lease.acquire(wait=False), service
        await lease.release()
    snapshot = EngineSnapshot(
        engine_id="e-0", kind="comfyui", simulated=True, version="1", health="ready", seen_at=now()
    )
    await EngineBoard(buses["executor"]).put(snapshot)
    assert await EngineBoard(buses["gateway"]).all()
    followed: list[Service] = ["gateway", "executor"]
    for service in followed:
        async for message in buses[service].follow(JOBS_STREAM, start_sequence=1):
            assert message.sequence == 1
            break


@pytest.mark.parametrize("service", [s for s in SERVICES if s != "gateway"])
async def test_the_server_refuses_events_of_others(
    server: NatsProcess, buses: dict[Service, Bus], service: Service
) -> None:
    refused: list[str] = []

    async def on_error(error: Exception) -> None:
        refused.append(str(error))

    before = (await buses["gateway"].stream_state(JOBS_STREAM)).last_sequence
    client = await nats.connect(
        server.url, user=service, password=PASSWORDS[service], error_cb=on_error
    )
    foreign = [e for e in whole_job(new_id()) if e.event not in PUBLISHES[service]]
    for event in foreign:
        await client.publish(subject_of(event), event.model_dump_json().encode())
    of_others = [c for c in CONSUMERS if c.service != service]
    forbidden = ["$JS.API.STREAM.DELETE.JOBS", "$JS.API.STREAM.PURGE.JOBS"]
    forbidden += [f"$JS.API.CONSUMER.MSG.NEXT.{c.stream}.{c.durable}" for c in of_others]
    forbidden += [f"$JS.ACK.{c.stream}.{c.durable}.1.1.1.1.0" for c in of_others]
    forbidden += [f"$JS.API.CONSUMER.DELETE.{c.stream}.{c.durable}" for c in CONSUMERS]
    forbidden += [f"$JS.API.CONSUMER.CREATE.{c.stream}.{c.durable}.x" for c in CONSUMERS]
    if service != "executor":
        forbidden.append(live_preview_subject("a-job"))
        forbidden.append("$JS.API.DIRECT.GET.KV_engines.$KV.engines.e-0")
    for subject in forbidden:
        await client.publish(subject, b"")
    for subject in ("animatrix.v1.>", "_INBOX.>", "_INBOX.gateway.>"):
        await client.subscribe(subject)
    await client.flush()
    await eventually(lambda: len(refused) == len(foreign) + len(forbidden) + 3)
    await client.close()
    assert all("ermissions" in one for one in refused)
    assert (await buses["gateway"].stream_state(JOBS_STREAM)).last_sequence == before


def test_no_account_may_do_everything() -> None:
    for service in SERVICES:
        allowed = permissions(service)
        assert not {">", "$JS.API.>", "animatrix.>", "animatrix.v1.>"} & set(allowed.publish)
        assert allowed.subscribe == (f"_INBOX.{service}.>",)


def test_a_server_reads_the_passwords_from_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["passwords", str(tmp_path / "bus")]) == 0
    assert main(["passwords", str(tmp_path / "bus")]) == 1
    for file in (tmp_path / "bus").iterdir():
        assert file.stat().st_mode & 0o077 == 0
    for line in (tmp_path / "bus" / SERVER_FILE).read_text().splitlines():
        name, _, word = line.partition("=")
        monkeypatch.setenv(name, word)
    config = tmp_path / "nats.conf"
    config.write_text(authorization())
    checked = subprocess.run(
        [nats_binary(), "-c", str(config), "-t"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    monkeypatch.delenv("ANIMATRIX_BUS_GATEWAY")
    unset = subprocess.run(
        [nats_binary(), "-c", str(config), "-t"], capture_output=True, text=True, check=False
    )
    assert "ANIMATRIX_BUS_GATEWAY" in unset.stderr
    own = (tmp_path / "bus" / "ingest.env").read_text().strip()
    assert own.startswith("ANIMATRIX_NATS_PASSWORD=p")
