"""Event streams: order, resumption, progress, ends, many watchers, slow clients."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from contracts.events import AnyJobEvent, PicturedProgress, Progress
from runtime.ids import new_id
from runtime.live_previews import LivePreviews
from runtime.stamp import now
from services.gateway import subscriptions
from services.gateway.fanout import Fanout
from services.gateway.subscriptions import Subscription
from services.gateway.told import Told
from tests.support.gateway import World, sse, whole_job
from tests.support.waiting import eventually

SHOWN = ["accepted", "uploaded", "queued", "executing", "collecting_outputs", "completed"]


async def read_job_stream(
    world: World, job_id: str, last_event_id: str | None = None
) -> list[dict[str, Any]]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with world.http.stream("GET", f"/api/jobs/{job_id}/stream", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [event async for event in sse(answer)]


def progress(job_id: str, fraction: float) -> Progress:
    return Progress(
        job_id=job_id,
        at=now(),
        step=0,
        steps=1,
        segment=0,
        segments=1,
        fraction=fraction,
        phase="generating",
    )


async def test_stream_tells_a_job_from_beginning_to_end_and_ends(world: World) -> None:
    job_id = new_id()
    events = whole_job(job_id)
    await world.say(events[0])
    reading = asyncio.create_task(read_job_stream(world, job_id))
    for event in events[1:]:
        await world.say(event)
    told = await asyncio.wait_for(reading, 10)
    assert [e["event"] for e in told] == SHOWN
    ids = [int(e["id"]) for e in told]
    assert ids == sorted(set(ids))
    assert told[-1]["data"]["outputs_url"] == f"/api/jobs/{job_id}/outputs"


async def everything(subscription: Subscription) -> list[list[Told | Progress]]:
    """What a subscription that ends still tells, by turns."""
    turns = []
    while (items := await subscription.news()) is not None:
        turns.append(items)
    return turns


async def test_stream_that_hears_nothing_is_kept_alive(world: World) -> None:
    hub = Fanout(world.buses["gateway"])
    with hub.subscribed(None, None) as quiet, quiet.broken_silence(0.01):
        assert [await quiet.news() for _ in range(3)] == [[]] * 3
        hub.end(quiet)
        assert not any(await everything(quiet))


async def test_what_comes_while_a_stream_is_busy_is_told_at_once(world: World) -> None:
    hub = Fanout(world.buses["gateway"])
    news = [Told(n, "job", "a", "queued", "queued", "animate", now()) for n in range(3)]
    with hub.subscribed("job", None) as subscription:
        for item in news:
            hub._hand_out(item, item.owner)
        hub.end(subscription)
        assert await everything(subscription) == [news]


async def test_ended_job_is_told_whole_and_ends_at_once(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id))
    assert [e["event"] for e in await read_job_stream(world, job_id)] == SHOWN


async def test_stream_resumes_after_the_last_event_id(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id))
    told = await read_job_stream(world, job_id)
    rest = await read_job_stream(world, job_id, told[2]["id"])
    assert [e["event"] for e in rest] == SHOWN[3:]


async def test_client_that_saw_the_end_is_told_not_to_come_back(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id))
    told = await read_job_stream(world, job_id)
    url, headers = f"/api/jobs/{job_id}/stream", {"Last-Event-ID": told[-1]["id"]}
    assert (await world.http.get(url, headers=headers)).status_code == 204


async def test_the_picture_of_unfinished_work_is_served_until_the_job_ends(world: World) -> None:
    job_id = new_id()
    *going, last = whole_job(job_id)
    await world.say(*going[:-1])
    path, previews = f"/api/jobs/{job_id}/live-preview", LivePreviews(world.buses["executor"])
    assert (await world.http.get(path)).status_code == 404

    await previews.show(job_id, b"the first picture")
    await previews.show(job_id, b"the second picture")
    told = progress(job_id, 0.5).model_dump(exclude={"version"})
    await world.buses["executor"].progress(PicturedProgress(**told, live_preview=2))

    async def url() -> Any:
        return ((await world.job(job_id))["progress"] or {}).get("live_preview_url")

    assert (await eventually(url)).startswith(path + "?")
    answer = await world.http.get(await url())
    assert (answer.status_code, answer.content) == (200, b"the second picture")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert (await world.http.get(f"/api/jobs/{new_id()}/live-preview")).status_code == 404

    await world.say(going[-1], last)

    async def gone() -> bool:
        return (await world.http.get(path)).status_code == 404

    await eventually(gone)


async def test_progress_has_no_id_and_the_latest_comes_on_connect(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:6])
    await world.reaches(job_id, "executing")
    await world.buses["executor"].progress(progress(job_id, 0.25))

    async def known() -> bool:
        return bool((await world.job(job_id))["progress"]["percent"] == 25.0)

    await eventually(known)
    async with (
        world.http.stream("GET", f"/api/jobs/{job_id}/stream") as answer,
        aclosing(sse(answer)) as events,
    ):
        seen = [await anext(events) for _ in range(5)]
        assert [e["event"] for e in seen] == [*SHOWN[:4], "progress"]
        assert seen[-1]["id"] is None
        assert seen[-1]["data"]["progress"]["percent"] == 25.0
        await world.buses["executor"].progress(progress(job_id, 0.5))
        assert (await anext(events))["data"]["progress"]["percent"] == 50.0


async def test_stream_of_all_jobs_goes_on_where_the_client_was(world: World) -> None:
    first, second = new_id(), new_id()
    async with (
        world.http.stream("GET", "/api/stream") as answer,
        aclosing(sse(answer)) as events,
    ):
        ready = await anext(events)
        assert ready["event"] == "ready"
        await world.say(*whole_job(first)[:2])
        assert (await anext(events))["data"]["job_id"] == first
        uploaded = await anext(events)
    await world.say(whole_job(first)[2], whole_job(second)[0])
    await world.reaches(second, "accepted")
    headers = {"Last-Event-ID": uploaded["id"]}
    async with (
        world.http.stream("GET", "/api/stream", headers=headers) as answer,
        aclosing(sse(answer)) as events,
    ):
        missed = [await anext(events) for _ in range(2)]
        assert [(e["event"], e["data"]["job_id"]) for e in missed] == [
            ("queued", first),
            ("accepted", second),
        ]
        await world.say(whole_job(second)[1])
        live = await anext(events)
        assert (live["event"], live["data"]["job_id"]) == ("uploaded", second)


async def test_client_from_another_time_is_told_to_reload(world: World) -> None:
    headers = {"Last-Event-ID": "999999"}
    async with (
        world.http.stream("GET", "/api/stream", headers=headers) as answer,
        aclosing(sse(answer)) as events,
    ):
        assert (await anext(events))["event"] == "reload"


async def test_stray_event_is_not_told(world: World) -> None:
    job_id = new_id()
    events: list[AnyJobEvent] = whole_job(job_id)
    await world.say(events[0], events[8], *events[1:8])
    await world.reaches(job_id, "collecting_outputs")
    async with (
        world.http.stream("GET", f"/api/jobs/{job_id}/stream") as answer,
        aclosing(sse(answer)) as stream,
    ):
        assert [(await anext(stream))["event"] for _ in range(5)] == SHOWN[:5]


async def test_watchers_of_one_job_hear_the_same(world: World) -> None:
    job_id = new_id()
    events = whole_job(job_id)
    await world.say(events[0])
    reading = [asyncio.create_task(read_job_stream(world, job_id)) for _ in range(30)]
    for event in events[1:]:
        await world.say(event)
    for told in await asyncio.wait_for(asyncio.gather(*reading), 20):
        assert [e["event"] for e in told] == SHOWN


async def test_slow_client_is_cut_off_and_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "ITEMS_AT_MOST", 3)
    hub = Fanout(world.buses["gateway"])
    with hub.subscribed(None, "a") as slow, hub.subscribed("job-9", None) as other:
        for number in range(10):
            job = Told(number, f"job-{number}", "a", "queued", "queued", "animate", now())
            hub._hand_out(job, job.owner)
        assert [len(items) for items in await everything(slow)] == [3]
        assert other.waiting == 1


async def test_streams_end_when_the_gateway_stops(world: World) -> None:
    async with world.http.stream("GET", "/api/stream") as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        world.stopping.set()
        async with asyncio.timeout(5):
            async for _ in lines:
                pass


async def test_unknown_job_has_no_stream(world: World) -> None:
    assert (await world.http.get(f"/api/jobs/{new_id()}/stream")).status_code == 404
