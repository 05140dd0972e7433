"""Webhooks end to end: signed, durable, retried, logged, sent again; and who may not be reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from cryptography.fernet import Fernet
from fastapi import Request, Response

from contracts.errors import ErrorCode, error_info
from contracts.events import JobFailed
from runtime.ids import new_id
from runtime.leases import Lease
from runtime.stamp import stamp
from services.gateway.access.sealing import SealBroken
from services.gateway.adapters.db.engine import open_database
from services.gateway.adapters.db.webhook_tables import webhooks
from services.gateway.settings import Settings
from tests.gateway.receiver import Receiver, fine
from tests.support.bus import BusFactory
from tests.support.gateway import StartGateway, World, whole_job
from tests.support.ports import free_port
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as listening:
        yield listening


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    """The receiver is on this machine."""
    return {"webhook_allowed_networks": ["127.0.0.0/8"]}


async def register(world: World, url: str, *events: str) -> dict[str, Any]:
    body = {"url": url, "events": list(events or ("job.completed",))}
    answer = await world.http.post("/api/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def log_of(world: World, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await world.http.get(f"/api/webhooks/{webhook['webhook_id']}/deliveries")
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


async def settled(world: World, webhook: dict[str, Any], status: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        found = await log_of(world, webhook)
        return found[0] if found and found[0]["status"] == status else None

    delivery: dict[str, Any] = await eventually(there)
    return delivery


async def test_wanted_events_arrive_signed_and_others_do_not(
    world: World, receiver: Receiver
) -> None:
    before = new_id()
    await world.say(*whole_job(before))
    webhook = await register(world, receiver.url, "job.executing", "job.completed", "job.failed")
    good, bad = new_id(), new_id()
    error = error_info(ErrorCode.ENGINE_FAILED, detail="KSampler: secret cause")
    await world.say(
        *whole_job(good),
        *whole_job(bad)[:2],
        JobFailed(**stamp(None), job_id=bad, service="executor", error=error),
    )
    await eventually(lambda: len(receiver.got) == 3)
    told = {(t["type"], t["data"]["job_id"]): t for t in receiver.verified(webhook["secret"])}
    assert set(told) == {("job.executing", good), ("job.completed", good), ("job.failed", bad)}
    assert told["job.completed", good]["data"]["outputs_url"] == f"/api/jobs/{good}/outputs"
    assert told["job.failed", bad]["data"]["error"]["code"] == "engine_failed"
    assert not any(b"secret cause" in body for _, body in receiver.got)
    await settled(world, webhook, "delivered")
    (last, *_) = await log_of(world, webhook)
    (tried,) = last["log"]
    assert (tried["status_code"], tried["response"], tried["error"]) == (200, "thank you", None)
    assert tried["latency_ms"] >= 0


async def test_the_secret_is_shown_once_and_never_logged(
    world: World, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    webhook = await register(world, receiver.url)
    await world.say(*whole_job(new_id()))
    await settled(world, webhook, "delivered")
    shown = (await world.http.get("/api/webhooks")).text
    shown += (await world.http.get("/api/admin/webhooks")).text
    shown += (await world.http.get(f"/api/webhooks/{webhook['webhook_id']}")).text
    said = capfd.readouterr()
    assert webhook["secret"].startswith("whsec_")
    assert webhook["webhook_id"] in shown
    assert webhook["secret"] not in shown + said.out + said.err


async def test_a_receiver_that_was_down_gets_it_later_under_the_same_id(world: World) -> None:
    receiver = Receiver(port=free_port())
    webhook = await register(world, receiver.url)
    await world.say(*whole_job(new_id()))

    async def tried_twice() -> bool:
        found = await log_of(world, webhook)
        return bool(found and found[0]["attempts"] >= 2)

    await eventually(tried_twice)
    async with receiver.listening():
        delivered = await settled(world, webhook, "delivered")
    assert set(receiver.ids) == {delivered["delivery_id"]}
    assert delivered["log"][0]["error"].startswith("ConnectError")
    assert delivered["log"][-1]["status_code"] == 200
    assert len(delivered["log"]) == delivered["attempts"]


async def test_a_slow_receiver_is_given_up_in_time_and_keeps_nobody_waiting(
    world: World, receiver: Receiver
) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(30)
        return await fine(request)

    async with Receiver(answer=slow).listening() as sloth:
        stuck = await register(world, sloth.url)
        webhook = await register(world, receiver.url)
        for _ in range(4):
            await world.say(*whole_job(new_id()))
        await eventually(lambda: len(receiver.got) == 4, within_s=10)

        async def timed_out() -> bool:
            found = [one for one in await log_of(world, stuck) if one["log"]]
            return bool(found and "no answer within 2 s" in found[0]["log"][0]["error"])

        await eventually(timed_out)
        assert len({len(d["log"]) for d in await log_of(world, webhook)}) == 1


async def test_a_gateway_that_stops_in_the_middle_delivers_again_under_the_same_id(
    gateway: StartGateway, bus_factory: BusFactory, receiver: Receiver
) -> None:
    arrived = asyncio.Event()

    async def never(request: Request) -> Response:
        arrived.set()
        await asyncio.sleep(30)
        return await fine(request)

    receiver.answer = never
    async with gateway() as world:
        webhook = await register(world, receiver.url)
        await world.say(*whole_job(new_id()))
        await asyncio.wait_for(arrived.wait(), 10)
    receiver.answer = fine
    missed = new_id()
    bus = await bus_factory("gateway")
    await bus.publish(whole_job(missed)[0])
    async with gateway() as world:
        await world.say(*whole_job(missed)[1:])

        async def all_delivered() -> bool:
            return {d["status"] for d in await log_of(world, webhook)} == {"delivered"}

        await eventually(lambda: len(set(receiver.ids)) == 2, within_s=20)
        await eventually(all_delivered)
        told = [t["data"]["job_id"] for t in receiver.verified(webhook["secret"])]
        assert missed in told
        assert len(receiver.ids) == 3
        first = receiver.ids[0]
        assert receiver.ids.count(first) == 2


async def test_a_redirect_is_no_delivery_and_is_not_followed(
    world: World, receiver: Receiver
) -> None:
    async with Receiver().listening() as inner:
        receiver.answers(307, location=inner.url)
        webhook = await register(world, receiver.url)
        await world.say(*whole_job(new_id()))
        await eventually(lambda: len(receiver.got) >= 2)
        assert inner.got == []
    (delivery,) = await log_of(world, webhook)
    assert delivery["status"] == "pending"
    assert delivery["log"][0]["status_code"] == 307


async def test_a_receiver_that_is_gone_is_disabled_and_can_be_enabled_and_sent_again(
    world: World, receiver: Receiver
) -> None:
    receiver.answers(410)
    webhook = await register(world, receiver.url)
    await world.say(*whole_job(new_id()))
    lost = await settled(world, webhook, "failed")
    shown = (await world.http.get(f"/api/webhooks/{webhook['webhook_id']}")).json()
    assert not shown["enabled"]
    assert "410" in shown["disabled_reason"]
    receiver.answer = fine
    enabled = await world.http.post(f"/api/webhooks/{webhook['webhook_id']}/enable")
    assert enabled.json()["disabled_reason"] is None
    again = f"/api/admin/webhooks/deliveries/{lost['delivery_id']}/redeliver"
    assert (await world.http.post(again)).status_code == 202
    delivered = await settled(world, webhook, "delivered")
    assert delivered["delivery_id"] == lost["delivery_id"]
    assert [one["status_code"] for one in delivered["log"]] == [410, 200]
    listed = (await world.http.get("/api/admin/webhooks/deliveries?status=delivered")).json()
    assert lost["delivery_id"] in [d["delivery_id"] for d in listed["deliveries"]]
    assert (await world.http.post(again.replace("msg_", "msg_0"))).status_code == 404


async def test_long_failure_disables_with_the_reason(
    gateway: StartGateway, receiver: Receiver
) -> None:
    receiver.answers(500, "database away")
    async with gateway(webhook_disable_after_s=0.1) as world:
        webhook = await register(world, receiver.url)
        await world.say(*whole_job(new_id()))

        async def disabled() -> dict[str, Any] | None:
            found = (await world.http.get(f"/api/webhooks/{webhook['webhook_id']}")).json()
            return found if not found["enabled"] else None

        shown = await eventually(disabled)
        assert shown["disabled_reason"].startswith("Every attempt has failed since 20")
        assert shown["disabled_reason"].endswith("the receiver answered 500")
        (delivery,) = await log_of(world, webhook)
        assert delivery["log"][0]["response"] == "database away"


async def test_a_removed_webhook_gets_nothing_and_leaves_nothing(
    world: World, receiver: Receiver
) -> None:
    webhook = await register(world, receiver.url)
    url = f"/api/webhooks/{webhook['webhook_id']}"
    assert (await world.http.delete(url)).status_code == 204
    await world.say(*whole_job(new_id()))
    other = await register(world, receiver.url, "job.accepted")
    await world.say(whole_job(new_id())[0])
    await settled(world, other, "delivered")
    assert len(receiver.got) == 1
    assert (await world.http.get(url)).status_code == 404
    assert (await world.http.delete(url)).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://[fd00::1]/hook",
        "https://192.168.1.1/hook",
        "https://0.0.0.0/hook",
        "http://93.184.215.14/hook",
        "https://user:secret@example.com/hook",
        "ftp://93.184.215.14/hook",
        "https://no-such-host.invalid/hook",
        "not a url at all",
    ],
)
async def test_private_and_odd_targets_are_refused(world: World, url: str) -> None:
    answer = await world.http.post("/api/webhooks", json={"url": url, "events": ["job.failed"]})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "url"
    assert (await world.http.get("/api/webhooks")).json() == {"webhooks": []}


async def test_loopback_is_refused_without_the_setting(
    gateway: StartGateway, receiver: Receiver
) -> None:
    async with gateway() as world:
        webhook = await register(world, receiver.url)
    # The setting is withdrawn: what was registered before is refused when it is connected to.
    async with gateway(webhook_allowed_networks=[]) as world:
        body = {"url": receiver.url, "events": ["job.failed"]}
        assert (await world.http.post("/api/webhooks", json=body)).status_code == 422
        await world.say(*whole_job(new_id()))

        async def refused() -> bool:
            found = await log_of(world, webhook)
            return bool(found and found[0]["log"] and "private" in found[0]["log"][0]["error"])

        await eventually(refused)
    assert receiver.got == []


async def test_an_owner_has_so_many_webhooks_and_unknown_events_are_refused(
    gateway: StartGateway, receiver: Receiver
) -> None:
    async with gateway(webhooks_per_owner=1) as world:
        await register(world, receiver.url)
        body = {"url": receiver.url, "events": ["job.completed"]}
        assert (await world.http.post("/api/webhooks", json=body)).status_code == 429
        body["events"] = ["job.exploded"]
        assert (await world.http.post("/api/webhooks", json=body)).status_code == 422


async def _kept_secret(state_dir: Path, replaced_by: str | None = None) -> str:
    """The only webhook's secret as the database has it, and what to put there instead."""
    database = open_database(Settings().url_of_database(state_dir))
    async with database.writer.begin() as connection:
        kept: str = (await connection.execute(sa.select(webhooks.c.secret))).scalar_one()
        if replaced_by is not None:
            await connection.execute(webhooks.update().values(secret=replaced_by))
    await database.close()
    return kept


async def test_secrets_lie_sealed_and_outlive_a_change_of_keys(
    gateway: StartGateway, receiver: Receiver
) -> None:
    async with gateway() as world:
        webhook = await register(world, receiver.url)
    state_dir, key_file = world.state_dir, world.state_dir / "secrets.key"
    kept = await _kept_secret(state_dir)
    assert kept.startswith("fernet:")
    assert webhook["secret"] not in kept
    assert key_file.stat().st_mode & 0o077 == 0

    old, new = key_file.read_text().strip(), Fernet.generate_key().decode()
    for before in (kept, webhook["secret"]):
        # Sealed with the key that goes, and as rows of an earlier release have it.
        await _kept_secret(state_dir, replaced_by=before)
        async with gateway(secrets_keys=f"{new},{old}"):
            pass
        sealed = (await _kept_secret(state_dir)).removeprefix("fernet:")
        assert Fernet(new).decrypt(sealed).decode() == webhook["secret"]

    with pytest.raises(SealBroken, match="SECRETS_KEYS"):
        async with gateway(secrets_keys=old):
            pass
    async with gateway(secrets_keys=new) as world:
        await world.say(*whole_job(new_id()))
        await eventually(lambda: receiver.verified(webhook["secret"]))


async def test_what_came_before_anybody_could_announce_is_told_too(
    gateway: StartGateway, bus_factory: BusFactory, receiver: Receiver
) -> None:
    """Whoever had the lease died before it told anything: the webhook is made, nobody announces."""
    lease = Lease(await bus_factory("gateway"), "webhooks", "another")
    assert await lease.acquire()
    async with gateway() as world:
        await world.say(*whole_job(new_id()))
        webhook = await register(world, receiver.url)
        job_id = new_id()
        await world.say(*whole_job(job_id))
        await world.reaches(job_id, "completed")
        await lease.release()
        await eventually(lambda: receiver.verified(webhook["secret"]))
        assert [told["data"]["job_id"] for told in receiver.verified(webhook["secret"])] == [job_id]
