"""The Deforum adapter: jobs found again, proved, stalled, cancelled and lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.webui import (
    Backoff,
    CapabilityMissing,
    DeforumSettings,
    EngineAddress,
    EngineRefused,
    EngineUnreachable,
    FileMissing,
    FramesMissing,
    JobCancelled,
    JobFailed,
    JobLost,
    JobOverdue,
    JobStalled,
    JobStatus,
    OverHttp,
    Phase,
    Picture,
    SharedFolder,
    Stopped,
    SubmitUncertain,
    UnfitSettings,
    UnreadablePicture,
    Watch,
    WebUIClient,
    WrongFrameCount,
    cancel_job,
    follow_job,
    job_frames,
    start_job,
    withdraw_job,
)
from tests.support.waiting import eventually
from tests.support.webui import WebUISimulator, counter, plain_png, start_webui

AWAY = Backoff(0.02, 0.1)
WATCH = Watch(
    deadline_s=30, stall_s=10, poll_s=0.03, settle_s=0.3, patience_s=10, find_s=1, away=AWAY
)


def shot(name: str = "job-0001", **more: Any) -> DeforumSettings:
    chosen: dict[str, Any] = {"prompts": {0: "a lake"}, "max_frames": 7, "fps": 12, "seed": 5}
    chosen |= {"width_px": 64, "height_px": 64, "steps": 1, **more}
    return DeforumSettings(batch_name=name, **chosen)


@pytest.fixture
def webui(tmp_path: Path) -> Iterator[WebUISimulator]:
    with start_webui(tmp_path / "webui") as running:
        yield running


@pytest.fixture
async def client(webui: WebUISimulator) -> AsyncIterator[WebUIClient]:
    async with WebUIClient(EngineAddress(webui.url), backoff=AWAY) as opened:
        yield opened


async def made(client: WebUIClient, settings: DeforumSettings, watch: Watch = WATCH) -> JobStatus:
    job = await start_job(client.deforum, settings, watch)
    return await follow_job(client.deforum, job.job_id, watch)


async def read(client: WebUIClient, job: JobStatus, settings: DeforumSettings) -> list[Picture]:
    source = OverHttp(client)
    return [one async for one in job_frames(client.deforum, job, settings, source)]


async def generating(client: WebUIClient, job_id: str) -> None:
    async def runs() -> bool:
        job = await client.deforum.job(job_id)
        return job is not None and job.phase == Phase.GENERATING

    await eventually(runs)


@pytest.mark.parametrize("mode", ["2D", "3D", "Interpolation"])
async def test_every_frame_is_fetched_in_order(client: WebUIClient, mode: Any) -> None:
    settings = shot(animation_mode=mode, schedules={"zoom": "0: (1.02+0.1*sin(t)), 5: (1)"})
    pictures = await read(client, await made(client, settings), settings)
    assert [counter(picture.data) for picture in pictures] == list(range(7))


async def test_init_image_is_uploaded_and_used(client: WebUIClient) -> None:
    path = await OverHttp(client).place(plain_png(), "lake.png")
    plain, held = shot(), shot("job-0002", init_image=path)
    first = (await read(client, await made(client, plain), plain))[0]
    other = (await read(client, await made(client, held), held))[0]
    assert first.data != other.data


async def test_frames_are_read_from_a_shared_folder(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    source = SharedFolder(client.name, str(webui.state), webui.state)
    settings = shot(init_image=await source.place(plain_png(), "lake.png"))
    webui.install(file_access=False)
    job = await made(client, settings)
    pictures = [one async for one in job_frames(client.deforum, job, settings, source)]
    assert [counter(picture.data) for picture in pictures] == list(range(7))


async def test_shared_folder_is_never_left(tmp_path: Path) -> None:
    inside = tmp_path / "here"
    inside.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (inside / "link").symlink_to(tmp_path)
    source = SharedFolder("http://e", "/srv/out", inside)
    for outdir in ("/etc", "/srv/out/../..", "/srv/out/link", "C:\\out"):
        with pytest.raises(CapabilityMissing):
            await source.read(outdir, "secret.png")
    with pytest.raises(FileMissing):
        await source.read("/srv/out", "none.png")


async def test_folder_that_may_not_be_served_is_told(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.install(file_access=False)
    settings = shot()
    with pytest.raises(EngineRefused):
        await read(client, await made(client, settings), settings)


def test_settings_hold_every_key_a_job_needs_and_no_cadence() -> None:
    body = shot(negative_prompt="blur").body()
    assert {f"cn_{unit}_weight" for unit in range(1, 6)} <= set(body)
    assert (body["diffusion_cadence"], body["skip_video_creation"]) == (1, True)
    assert body["prompts"] == {"0": "a lake --neg blur"}
    assert (body["animation_prompts_positive"], body["animation_prompts_negative"]) == ("", "")


@pytest.mark.parametrize(
    "unfit",
    [
        {"animation_mode": "4D"},
        {"animation_mode": "Video Input"},
        {"prompts": {}},
        {"prompts": {1: "late"}},
        {"prompts": {0: "a", 7: "beyond"}},
        {"prompts": {0: " "}},
        {"prompts": {0: "`2*t`"}},
        {"prompts": {0: "a --neg b"}},
        {"max_frames": 0},
        {"width_px": 65},
        {"fps": 0},
        {"schedules": {"zoom": "1.02"}},
        {"schedules": {"zoom": "0: (__import__('os'))"}},
        {"schedules": {"save_path": "0: (1)"}},
        {"name": "short"},
        {"name": "../../escape"},
        {"name": "Deforum_{timestring}"},
    ],
)
def test_settings_that_fail_or_mislead_cannot_be_made(unfit: dict[str, Any]) -> None:
    with pytest.raises(UnfitSettings):
        shot(**unfit)


async def test_job_is_found_again_by_its_batch_name_and_never_made_twice(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    first = await start_job(client.deforum, shot(), WATCH)
    async with WebUIClient(EngineAddress(webui.url)) as successor:
        again = await start_job(successor.deforum, shot(), WATCH)
        assert again.job_id == first.job_id
        settings = shot()
        job = await follow_job(successor.deforum, again.job_id, WATCH)
        assert len(await read(successor, job, settings)) == 7
    assert len(webui.journal("accepted")) == 1


async def test_batch_accepted_without_an_answer_is_found(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "drop_submit", "times": 1})
    job = await start_job(client.deforum, shot(), WATCH)
    assert job.batch_name == "job-0001"
    assert len(webui.journal("accepted")) == 1


async def test_batch_that_nobody_knows_stays_uncertain(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "http", "path": "/deforum_api/batches", "status": 500, "times": 1})
    with pytest.raises(SubmitUncertain) as told:
        await start_job(client.deforum, shot(), replace(WATCH, find_s=0.2))
    assert told.value.batch_name == "job-0001"


async def test_without_controlnet_the_job_fails(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.install(controlnet=False)
    with pytest.raises(JobFailed) as told:
        await made(client, shot())
    assert not told.value.retryable


async def test_retryable_failure_is_told_apart(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "fail", "times": 1})
    with pytest.raises(JobFailed) as told:
        await made(client, shot())
    assert told.value.retryable


@pytest.mark.parametrize(("fault", "found"), [("zero_frames", 0), ("lose_files", 6)])
async def test_success_without_its_frames_is_no_success(
    webui: WebUISimulator, client: WebUIClient, fault: str, found: int
) -> None:
    webui.order({"kind": fault, "times": 1})
    job = await made(client, shot())
    assert job.status == "SUCCEEDED"
    with pytest.raises(FramesMissing) as told:
        await read(client, job, shot())
    assert (told.value.expected, told.value.found) == (7, found)


async def test_broken_frame_is_no_success(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "corrupt_frames", "where": "deforum", "times": 1})
    job = await made(client, shot())
    with pytest.raises(UnreadablePicture) as told:
        await read(client, job, shot())
    assert told.value.index == 6


async def test_returned_video_is_split_into_its_frames(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "video_only"})
    job = await made(client, shot())
    pictures = await read(client, job, shot())
    assert [counter(picture.data) for picture in pictures] == list(range(7))
    for wrong in (6, 8):
        with pytest.raises(WrongFrameCount):
            await read(client, job, shot(max_frames=wrong))


async def test_stalled_job_is_stopped_and_told(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "stall", "times": 1, "seconds": 60})
    with pytest.raises(JobStalled) as told:
        await made(client, shot(), replace(WATCH, stall_s=0.4))
    assert told.value.stopped is Stopped.STOPPED


async def test_core_interrupt_that_leaves_a_job_accepted_for_good_is_a_stall(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.1)
    job = await start_job(client.deforum, shot(max_frames=100), WATCH)
    await generating(client, job.job_id)
    webui.interrupt()
    with pytest.raises(JobStalled, match="POST_PROCESSING"):
        await follow_job(client.deforum, job.job_id, replace(WATCH, stall_s=0.5))


async def test_overdue_job_is_stopped(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.speed(0.1)
    with pytest.raises(JobOverdue) as told:
        await made(client, shot(max_frames=200), replace(WATCH, deadline_s=0.5))
    assert told.value.stopped is Stopped.STOPPED
    assert webui.journal("finished")[0]["outcome"] == "interrupted"


async def test_waiting_behind_others_is_no_stall(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.05)
    await start_job(client.deforum, shot(max_frames=25), WATCH)
    job = await made(client, shot("job-0002", max_frames=2), replace(WATCH, stall_s=0.6))
    assert job.status == "SUCCEEDED"


async def test_cancelled_running_job_is_cancelled_by_us(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.05)
    job = await start_job(client.deforum, shot(max_frames=200), WATCH)
    following = asyncio.create_task(follow_job(client.deforum, job.job_id, WATCH))
    await generating(client, job.job_id)
    assert await cancel_job(client.deforum, job.job_id, WATCH) is Stopped.STOPPED
    with pytest.raises(JobCancelled) as told:
        await following
    assert (told.value.by_us, told.value.stopped) == (True, Stopped.STOPPED)


async def test_cancelled_queued_job_that_runs_anyway_is_stopped_when_it_does(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.05)
    await start_job(client.deforum, shot(max_frames=20), WATCH)
    second = await start_job(client.deforum, shot("job-0002", max_frames=200), WATCH)
    assert await cancel_job(client.deforum, second.job_id, WATCH) is Stopped.STOPPED
    outcomes = {e["id"]: e["outcome"] for e in webui.journal("finished")}
    assert outcomes[second.job_id] == "interrupted"
    assert list(outcomes.values()) == ["success", "interrupted"]


async def test_cancelled_queued_job_still_waiting_may_run(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.1)
    await start_job(client.deforum, shot(max_frames=200), WATCH)
    second = await start_job(client.deforum, shot("job-0002"), WATCH)
    hasty = replace(WATCH, patience_s=0.5)
    assert await cancel_job(client.deforum, second.job_id, hasty) is Stopped.MAY_RUN
    with pytest.raises(JobCancelled) as told:
        await follow_job(client.deforum, second.job_id, hasty)
    assert told.value.stopped is Stopped.MAY_RUN


async def test_cancelled_job_that_succeeded_all_the_same_is_cancelled(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.1)
    await start_job(client.deforum, shot(max_frames=8), WATCH)
    second = await start_job(client.deforum, shot("job-0002"), WATCH)
    hasty = replace(WATCH, patience_s=0.1)
    await cancel_job(client.deforum, second.job_id, hasty)
    webui.speed(0)

    async def succeeded() -> bool:
        job = await client.deforum.job(second.job_id)
        return job is not None and job.status == "SUCCEEDED"

    await eventually(succeeded)
    with pytest.raises(JobCancelled) as told:
        await follow_job(client.deforum, second.job_id, WATCH)
    assert (told.value.by_us, told.value.stopped) == (True, Stopped.ENDED)


async def test_job_cancelled_by_somebody_else_is_told_apart(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.05)
    job = await start_job(client.deforum, shot(max_frames=200), WATCH)
    await generating(client, job.job_id)
    await withdraw_job(client.deforum, job.job_id, WATCH)
    with pytest.raises(JobCancelled) as told:
        await follow_job(client.deforum, job.job_id, WATCH)
    assert not told.value.by_us


async def test_restarted_server_has_lost_the_job_and_it_can_be_run_again(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.1)
    job = await start_job(client.deforum, shot(max_frames=100), WATCH)
    await generating(client, job.job_id)
    following = asyncio.create_task(follow_job(client.deforum, job.job_id, WATCH))
    webui.process.kill()
    webui.process.wait(10)
    with start_webui(webui.state, port=webui.port) as again:
        with pytest.raises(JobLost):
            await following
        assert await withdraw_job(client.deforum, job.job_id, WATCH) is Stopped.GONE
        settings = shot("job-0001-attempt-2")
        assert len(await read(client, await made(client, settings), settings)) == 7
        assert len(again.journal("finished", outcome="success")) == 1


async def test_server_that_stays_away_is_unreachable_after_the_deadline(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    job = await start_job(client.deforum, shot(), WATCH)
    webui.process.kill()
    webui.process.wait(10)
    with pytest.raises(EngineUnreachable):
        await follow_job(client.deforum, job.job_id, replace(WATCH, deadline_s=0.5))


async def test_server_without_deforum_is_told_before_anything_is_made(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.install(deforum=False)
    with pytest.raises(CapabilityMissing, match="Deforum"):
        await start_job(client.deforum, shot(), WATCH)


async def test_frames_of_a_job_that_has_not_succeeded_are_never_taken(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.1)
    job = await start_job(client.deforum, shot(max_frames=100), WATCH)
    with pytest.raises(ValueError, match="succeeded"):
        await read(client, job, shot())


async def test_batches_are_read_and_unknown_ones_are_none(client: WebUIClient) -> None:
    job = await made(client, shot())
    batch = await client.deforum.batch(job.job_id.rpartition("-")[0])
    assert batch is not None
    assert [one.job_id for one in batch] == [job.job_id]
    assert await client.deforum.batch("batch(x)") is None
