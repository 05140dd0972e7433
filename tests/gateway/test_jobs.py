"""A job from the outside: states, events, files, cancel, delete, retry."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import ErrorCode, error_info
from contracts.events import JobFailed, Progress
from runtime.ids import new_id
from runtime.stamp import now, stamp
from tests.support.gateway import World, whole_job
from tests.support.waiting import eventually

VIDEO = bytes(range(256)) * 40


async def fail(world: World, job_id: str) -> None:
    error = error_info(ErrorCode.ENGINE_FAILED, detail="KSampler: secret cause")
    await world.say(JobFailed(**stamp(None), job_id=job_id, service="executor", error=error))
    await world.reaches(job_id, "failed")


async def test_states_follow_the_events(world: World) -> None:
    job_id = new_id()
    wanted = [
        "accepted",
        "uploaded",
        "queued",
        "queued",
        "queued",
        "executing",
        "executing",
        "collecting_outputs",
        "completed",
    ]
    for event, status in zip(whole_job(job_id), wanted, strict=True):
        await world.say(event)
        job = await world.reaches(job_id, status)
    assert job["simulated"] is True
    assert job["progress"]["percent"] == 100
    assert job["comfy_prompt_id"]
    events = (await world.http.get(f"/api/jobs/{job_id}/events")).json()["events"]
    assert [e["event"] for e in events] == [e.event for e in whole_job(job_id)]
    assert all(e["ignored"] is None for e in events)


async def test_event_that_may_not_follow_is_recorded_but_changes_nothing(world: World) -> None:
    job_id = new_id()
    events = whole_job(job_id)
    await world.say(events[0], events[8], events[1])
    await world.reaches(job_id, "uploaded")
    listed = (await world.http.get(f"/api/jobs/{job_id}/events")).json()["events"]
    assert [(e["event"], bool(e["ignored"])) for e in listed] == [
        ("job_submitted", False),
        ("job_completed", True),
        ("media_prepared", False),
    ]


async def test_waiting_job_knows_its_place_in_the_queue(world: World) -> None:
    first, second = new_id(), new_id()
    await world.say(*whole_job(first)[:4], *whole_job(second)[:4])
    await world.reaches(second, "queued")

    async def places() -> bool:
        jobs = [await world.job(job_id) for job_id in (first, second)]
        return [j["queue"] and j["queue"]["position"] for j in jobs] == [1, 2]

    await eventually(places)


async def test_running_job_shows_the_latest_progress(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:6])
    await world.reaches(job_id, "executing")
    await world.buses["executor"].progress(
        Progress(
            job_id=job_id,
            at=now(),
            step=0,
            steps=2,
            segment=0,
            segments=2,
            fraction=0.5,
            phase="generating",
        )
    )

    async def shown() -> bool:
        return bool((await world.job(job_id))["progress"]["percent"] == 25.0)

    await eventually(shown)


async def test_outputs_name_every_file_with_its_hash(world: World) -> None:
    job_id = await world.completed_job(VIDEO)
    outputs = (await world.http.get(f"/api/jobs/{job_id}/outputs")).json()
    assert outputs["resolution"] == "480x832"
    assert (outputs["frames"], outputs["fps"]) == (77, 16)
    assert {f["name"] for f in outputs["files"]} == {
        "video.mp4",
        "poster.jpg",
        "first_frame.jpg",
        "preview.webp",
        "job_manifest.json",
        "debug_metadata.json",
    }
    for file in outputs["files"]:
        body = (await world.http.get(file["url"])).content
        assert len(body) == file["size_bytes"]


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [("video.mp4", "video/mp4"), ("dance.webm", "video/webm"), ("loop.gif", "image/gif")],
)
async def test_a_video_is_served_by_its_name_and_as_the_video_with_its_type(
    world: World, name: str, mime_type: str
) -> None:
    job_id = await world.completed_job(b"moving", name)
    outputs = (await world.http.get(f"/api/jobs/{job_id}/outputs")).json()
    assert outputs["video_url"] == f"/api/jobs/{job_id}/files/{name}"
    types = {file["name"]: file["mime_type"] for file in outputs["files"]}
    assert (types[name], types["preview.webp"]) == (mime_type, "image/webp")
    for url in (outputs["video_url"], (await world.job(job_id))["video_url"]):
        answer = await world.http.get(url, params={"download": "true"})
        assert (answer.content, answer.headers["content-type"]) == (b"moving", mime_type)
        assert f'-{name}"' in answer.headers["content-disposition"]


async def test_kept_frames_are_listed_in_an_index_and_served_one_by_one(world: World) -> None:
    job_id = await world.completed_job(frames=3)
    outputs = (await world.http.get(f"/api/jobs/{job_id}/outputs")).json()
    urls = {file["name"]: file["url"] for file in outputs["files"]}
    index = (await world.http.get(urls["pictures.json"])).json()
    names = [picture["key"].rpartition("/")[2] for picture in index["pictures"]]
    assert names == [f"picture-{n:06}.png" for n in range(3)]
    answer = await world.http.get(f"/api/jobs/{job_id}/files/{names[2]}")
    assert (answer.content, answer.headers["content-type"]) == (b"2", "image/png")
    assert (await world.http.get(f"/api/jobs/{job_id}/files/picture-000003.png")).status_code == 404


async def test_rendering_shows_as_the_last_step_and_engines_ends_do_not(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:-1])
    await world.reaches(job_id, "collecting_outputs")
    told = Progress(
        job_id=job_id, at=now(), step=0, steps=1, segment=0, segments=1, fraction=1.0,
        phase="collecting",
    )  # fmt: skip
    for step, steps, fraction, percent in ((0, 1, 1.0, 99.0), (1, 2, 0.5, 75.0)):
        changed = {"step": step, "steps": steps, "fraction": fraction}
        await world.buses["collector"].progress(told.model_copy(update=changed))

        async def shown(percent: float = percent) -> bool:
            return bool((await world.job(job_id))["progress"]["percent"] == percent)

        await eventually(shown)


async def test_outputs_of_a_job_that_is_not_done_are_a_409(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:3])
    answer = await world.http.get(f"/api/jobs/{job_id}/outputs")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_finished")


async def test_video_is_served_in_ranges(world: World) -> None:
    url = f"/api/jobs/{await world.completed_job(VIDEO)}/files/video.mp4"
    whole = await world.http.get(url)
    assert (whole.status_code, whole.content) == (200, VIDEO)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-type"] == "video/mp4"
    for header, first, last in [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=10000-", 10000, len(VIDEO) - 1),
        ("bytes=-5", len(VIDEO) - 5, len(VIDEO) - 1),
        ("bytes=5-999999", 5, len(VIDEO) - 1),
    ]:
        part = await world.http.get(url, headers={"Range": header})
        assert part.status_code == 206
        assert part.content == VIDEO[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(VIDEO)}"
    for odd in ("bytes=9-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-"):
        assert (await world.http.get(url, headers={"Range": odd})).content == VIDEO
    beyond = await world.http.get(url, headers={"Range": f"bytes={len(VIDEO)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_unsatisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(VIDEO)}"


async def test_conditional_requests_and_downloads(world: World) -> None:
    url = f"/api/jobs/{await world.completed_job(VIDEO)}/files/video.mp4"
    head = await world.http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(VIDEO))
    etag = head.headers["etag"]
    assert (await world.http.get(url, headers={"If-None-Match": etag})).status_code == 304
    stale = {"Range": "bytes=0-1", "If-Range": '"other"'}
    assert (await world.http.get(url, headers=stale)).status_code == 200
    saved = await world.http.get(url, params={"download": "true"})
    assert saved.headers["content-disposition"].startswith("attachment")


async def test_only_delivered_names_are_served(world: World) -> None:
    job_id = await world.completed_job(VIDEO)
    await world.media.put_bytes(f"jobs/{job_id}/record.json", b"{}")
    for name in (
        "record.json",
        "..%2Frecord.json",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "video.mp4%00",
    ):
        answer = await world.http.get(f"/api/jobs/{job_id}/files/{name}")
        assert answer.status_code == 404


async def test_pages_follow_each_other_without_gap(world: World) -> None:
    jobs = [new_id() for _ in range(7)]
    for job_id in jobs:
        await world.say(whole_job(job_id)[0])
    await world.reaches(jobs[-1], "accepted")

    async def all_there() -> bool:
        return len((await world.http.get("/api/jobs")).json()["jobs"]) == 7

    await eventually(all_there)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = (await world.http.get("/api/jobs", params=params)).json()
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == jobs[::-1]
    for words, many in (("", 7), ("no such words", 0)):
        page = (await world.http.get("/api/jobs", params={"q": words})).json()
        assert len(page["jobs"]) == many
    bad = await world.http.get("/api/jobs", params={"cursor": "!!"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "cursor")


async def test_cancel_before_any_step_was_assigned_ends_the_job_here(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:4])
    answer = await world.http.post(f"/api/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    await world.reaches(job_id, "cancelled")
    again = await world.http.post(f"/api/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")


async def test_cancel_of_an_assigned_step_asks_the_executor_once(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:6])
    for _ in range(2):
        answer = await world.http.post(f"/api/jobs/{job_id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "executing")
    tail = await world.buses["gateway"].job(job_id)
    assert [e.event for e in tail.events].count("cancel_requested") == 1

    async def told() -> bool:
        return bool((await world.job(job_id))["cancel_requested"])

    await eventually(told)


async def test_deleted_job_and_its_files_are_gone(world: World) -> None:
    job_id = await world.completed_job(VIDEO)
    assert (await world.http.delete(f"/api/jobs/{job_id}")).status_code == 204
    assert [key async for key in world.media.keys(f"jobs/{job_id}")] == []

    async def gone() -> bool:
        found = await world.http.get(f"/api/jobs/{job_id}")
        return found.status_code == 404

    await eventually(gone)
    assert (await world.http.get("/api/jobs")).json()["jobs"] == []
    assert (await world.http.get(f"/api/jobs/{job_id}/outputs")).status_code == 404
    assert (await world.http.delete(f"/api/jobs/{job_id}")).status_code == 204


async def test_running_job_cannot_be_deleted(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:3])
    answer = await world.http.delete(f"/api/jobs/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_finished")


async def test_failed_job_tells_the_user_and_hides_the_cause(world: World) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:6])
    await fail(world, job_id)
    answer = await world.http.get(f"/api/jobs/{job_id}")
    assert answer.json()["error"]["code"] == "engine_failed"
    assert answer.json()["error"]["remedy"]
    events = await world.http.get(f"/api/jobs/{job_id}/events")
    assert "secret cause" not in answer.text + events.text


@pytest.mark.parametrize("path", ["/api/jobs/{}/retry", "/api/admin/retry/{}"])
async def test_failed_job_can_be_run_again_and_no_other(world: World, path: str) -> None:
    job_id = new_id()
    await world.say(*whole_job(job_id)[:6])
    early = await world.http.post(path.format(job_id))
    assert (early.status_code, early.json()["code"]) == (409, "job_not_retryable")
    await fail(world, job_id)
    answer = await world.http.post(path.format(job_id))
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    job = await world.reaches(job_id, "queued")
    assert (job["attempt"], job["error"]) == (2, None)
    cancelled = await world.http.post(f"/api/jobs/{job_id}/cancel")
    assert cancelled.json()["status"] == "cancelled"


async def test_prompt_id_leads_to_its_job(world: World) -> None:
    job_id = await world.completed_job(VIDEO)
    prompt_id = (await world.job(job_id))["comfy_prompt_id"]

    async def projected() -> dict[str, Any] | None:
        answer = await world.http.get(f"/api/admin/jobs/by-prompt/{prompt_id}")
        return dict(answer.json()) if answer.status_code == 200 else None

    found = await eventually(projected)
    assert found is not None
    assert (found["job"]["job_id"], found["step"], found["attempt"]) == (job_id, 0, 1)
    unknown = await world.http.get(f"/api/admin/jobs/by-prompt/{new_id()}")
    assert unknown.status_code == 404


async def test_operators_see_workflows_queues_and_health(world: World) -> None:
    await world.say(whole_job(new_id())[0])
    workflows = (await world.http.get("/api/admin/workflows")).json()
    assert all(w["required_models"] and w["workflow_version"] for w in workflows)
    queue = (await world.http.get("/api/admin/queue")).json()
    pending = {c["consumer"]: c["pending"] for c in queue["consumers"]}
    assert pending["ingest-jobs"] == 1
    assert "lane-comfyui-animate-fp8" in pending

    async def caught_up() -> bool:
        health = (await world.http.get("/api/admin/health")).json()
        jobs = next(s for s in health["streams"] if s["stream"] == "JOBS")
        return bool(health["ready"]) and jobs["lag"] == 0 and jobs["messages"] == 1

    await eventually(caught_up)


async def test_a_page_tells_of_a_job_exactly_what_is_told_of_it_alone(world: World) -> None:
    """A page is written without the model that the answer about one job goes through."""
    ended = await world.completed_job()
    waiting = new_id()
    await world.say(*whole_job(waiting)[:3])
    await world.reaches(waiting, "queued")

    async def listed() -> list[Any]:
        page = (await world.http.get("/api/jobs")).json()["jobs"]
        return page if len(page) == 2 else []

    page = await eventually(listed)
    assert page == [await world.job(waiting), await world.job(ended)]
    assert [job["status"] for job in page] == ["queued", "completed"]
