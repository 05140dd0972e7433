"""Dead letters for operators: listed, read, replayed, discarded; uploads never stay checking."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.events import AssetReady, AssetUploaded, encode_event
from contracts.subjects import CONSUMERS, Consumer
from runtime.delivery import SKEW_DELIVERIES
from runtime.ids import new_id
from runtime.stamp import stamp
from tests.support import examples
from tests.support.gateway import IMAGE_FACTS, World, whole_job
from tests.support.media import Size, photo
from tests.support.waiting import eventually

DURABLES = {consumer.durable: consumer for consumer in CONSUMERS}


async def give_up(world: World, durable: str) -> None:
    """Terminate the next message of a consumer, as its service would."""
    consumer: Consumer = DURABLES[durable]
    delivery = await world.buses[consumer.service].fetch(consumer, timeout_s=5)
    assert delivery is not None
    await delivery.terminate()


async def letters(world: World, wanted: int, **query: Any) -> list[dict[str, Any]]:
    """The listed dead letters, once there are so many."""

    async def there() -> list[dict[str, Any]] | None:
        answer = await world.http.get("/api/admin/dead-letters", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["dead_letters"]
        return found if len(found) == wanted else None

    listed: list[dict[str, Any]] = await eventually(there)
    return listed


async def post(world: World, sequence: int, action: str) -> tuple[int, dict[str, Any]]:
    answer = await world.http.post(f"/api/admin/dead-letters/{sequence}/{action}")
    return answer.status_code, answer.json()


async def test_a_dead_letter_is_listed_and_read_with_its_message(world: World) -> None:
    job_id = new_id()
    submitted = whole_job(job_id)[0]
    await world.say(submitted)
    await give_up(world, "ingest-jobs")
    (listed,) = await letters(world, 1)
    assert (listed["consumer"], listed["event"]) == ("ingest-jobs", "job_submitted")
    assert (listed["job_id"], listed["state"], listed["dealt_by"]) == (job_id, "open", None)
    await world.reaches(job_id, "failed")
    read = (await world.http.get(f"/api/admin/dead-letters/{listed['sequence']}")).json()
    assert read["payload"] == encode_event(submitted).decode()
    assert read["job_status"] == "failed"
    assert read["problem"] is None


async def test_replaying_the_letter_of_a_job_that_failed_for_it_runs_the_job_again(
    world: World,
) -> None:
    job_id = new_id()
    await world.say(whole_job(job_id)[0])
    await give_up(world, "ingest-jobs")
    (listed,) = await letters(world, 1)
    await world.reaches(job_id, "failed")
    status, done = await post(world, listed["sequence"], "replay")
    assert (status, done["done"]) == (200, "job_retried")
    await world.reaches(job_id, "accepted")
    delivery = await world.buses["ingest"].fetch(DURABLES["ingest-jobs"], timeout_s=5)
    assert delivery is not None
    assert delivery.event.event == "retry_requested"
    (again,) = await letters(world, 1, state="replayed")
    assert again["dealt_by"] == "local"
    assert again["dealt_at"]
    still_open = await world.http.get("/api/admin/dead-letters?state=open")
    assert still_open.json() == {"dead_letters": [], "next_before": None}


async def test_replaying_the_letter_of_a_live_job_delivers_its_message_again(world: World) -> None:
    job_id = new_id()
    events = whole_job(job_id)
    await world.say(*events[:2])
    await give_up(world, "ingest-jobs")
    (listed,) = await letters(world, 1)
    status, done = await post(world, listed["sequence"], "replay")
    assert (status, done["done"]) == (200, "delivered_again")
    delivery = await world.buses["ingest"].fetch(DURABLES["ingest-jobs"], timeout_s=5)
    assert delivery is not None
    assert delivery.event == events[0]
    assert (await world.job(job_id))["status"] == "uploaded"


@pytest.mark.parametrize("first", ["replay", "discard"])
async def test_a_letter_is_dealt_with_once(world: World, first: str) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:2])
    await give_up(world, "ingest-jobs")
    (listed,) = await letters(world, 1)
    assert (await post(world, listed["sequence"], first))[0] == 200
    for action in ("replay", "discard"):
        status, problem = await post(world, listed["sequence"], action)
        assert (status, problem["code"]) == (409, "dead_letter_settled")
        assert first.removesuffix("y") in problem["detail"]


async def test_replaying_the_letter_of_a_completed_job_is_refused(world: World) -> None:
    job_id = await world.completed_job()
    await give_up(world, "ingest-jobs")
    (listed,) = await letters(world, 1)
    status, problem = await post(world, listed["sequence"], "replay")
    assert (status, problem["code"]) == (409, "dead_letter_settled")
    assert "completed" in problem["detail"]
    assert (await world.job(job_id))["status"] == "completed"
    assert (await post(world, listed["sequence"], "discard"))[0] == 200


async def test_an_unknown_letter_is_not_found(world: World) -> None:
    for sequence in (0, 7):
        answer = await world.http.get(f"/api/admin/dead-letters/{sequence}")
        assert answer.status_code == 404
        assert (await post(world, sequence, "replay"))[0] == 404


async def test_letters_come_in_pages_newest_first(world: World) -> None:
    for _ in range(3):
        await world.say(*whole_job(new_id())[:2])
        await give_up(world, "ingest-jobs")
    everything = await letters(world, 3)
    first = (await world.http.get("/api/admin/dead-letters?limit=2")).json()
    assert first["dead_letters"] == everything[:2]
    second = await world.http.get(f"/api/admin/dead-letters?before={first['next_before']}")
    assert second.json()["dead_letters"] == everything[2:]
    assert second.json()["next_before"] is None


async def test_an_upload_whose_checking_was_given_up_is_rejected(
    world: World, tmp_path: Any
) -> None:
    path = photo(tmp_path / "a.png", size=Size(64, 64), format="PNG")
    answer = await world.upload("image", path.read_bytes(), "a.png")
    asset_id = answer.json()["asset_id"]
    await give_up(world, "ingest-assets")

    async def rejected() -> dict[str, Any] | None:
        asset: dict[str, Any] = (await world.http.get(f"/api/assets/{asset_id}")).json()
        return asset if asset["status"] == "rejected" else None

    asset = await eventually(rejected)
    assert asset["error"]["code"] == "internal"
    (listed,) = await letters(world, 1)
    assert listed["asset_id"] == asset_id
    status, problem = await post(world, listed["sequence"], "replay")
    assert (status, problem["code"]) == (409, "dead_letter_settled")


async def test_a_given_up_upload_that_was_proved_after_all_stays_ready(world: World) -> None:
    asset_id = new_id()
    example = next(e for e in examples.every_event() if isinstance(e, AssetUploaded))
    await world.say(example.model_copy(update={"asset_id": asset_id, "event_id": new_id()}))
    ready = AssetReady(
        **stamp(None), asset_id=asset_id, facts=IMAGE_FACTS, thumbnail=examples.stored("assets/t")
    )
    await world.say(ready)
    await give_up(world, "ingest-assets")
    (listed,) = await letters(world, 1)
    tail = await world.buses["gateway"].asset(asset_id)
    assert [e.event for e in tail.events] == ["asset_uploaded", "asset_ready"]
    assert listed["state"] == "open"


async def test_an_event_of_an_unknown_version_is_offered_some_times_and_then_ends_its_job(
    world: World,
) -> None:
    job_id = new_id()
    events = whole_job(job_id)
    await world.say(events[0])
    newer = encode_event(events[1]).replace(b'"version":1', b'"version":2', 1)
    subject = f"animatrix.v1.jobs.{job_id}.media_prepared"
    await world.buses["ingest"].client.publish(subject, newer)

    async def offered() -> bool:
        composer = world.buses["composer"]
        assert await composer.fetch(DURABLES["composer-jobs"], timeout_s=1) is None
        return bool((await world.job(job_id))["status"] == "failed")

    await eventually(offered, within_s=40)
    (listed,) = await letters(world, 1)
    assert (listed["deliveries"], listed["job_id"]) == (SKEW_DELIVERIES, job_id)
    failed = (await world.buses["gateway"].job(job_id)).state.failed
    assert failed is not None
    assert "another version" in str(failed.error.detail)


async def test_bytes_that_are_no_event_are_parked_and_end_no_job(world: World) -> None:
    job_id = new_id()
    await world.say(whole_job(job_id)[0])
    subject = f"animatrix.v1.jobs.{job_id}.media_prepared"
    await world.buses["ingest"].client.publish(subject, b"{not json")
    composer = world.buses["composer"]
    assert await composer.fetch(DURABLES["composer-jobs"], timeout_s=1) is None
    (listed,) = await letters(world, 1)
    read = (await world.http.get(f"/api/admin/dead-letters/{listed['sequence']}")).json()
    assert (read["payload"], read["event"]) == ("{not json", None)
    assert read["problem"]
    assert (await world.job(job_id))["status"] == "accepted"
    status, done = await post(world, listed["sequence"], "replay")
    assert (status, done["done"]) == (200, "delivered_again")
