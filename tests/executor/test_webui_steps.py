"""WebUI steps of every kind: what is sent, what lies in the store, what is told."""

from __future__ import annotations

import io
import json

from PIL import Image

from contracts.plan import ExecutionReport
from tests.executor.webui_scene import (
    ENGINE,
    WebuiScene,
    animated,
    img2img,
    scripted,
    txt2img,
    upscale,
)


async def test_stills_lie_in_the_store_in_order_with_the_request_and_the_answer(
    studio: WebuiScene,
) -> None:
    async with studio.executor():
        job_id = await studio.job(txt2img(count=3))
        state = await studio.executed(job_id)
    result = state.finished[0].result
    assert await studio.counters(job_id) == [0, 1, 2]
    assert (result.engine.engine_id, result.engine.kind, result.engine.simulated) == (
        ENGINE,
        "webui",
        True,
    )
    assert result.outputs[0].file.key == f"jobs/{job_id}/steps/0/attempt-1/pictures.json"
    request = json.loads(await studio.media.read_bytes(result.graph.key))
    assert request["route"] == "/sdapi/v1/txt2img"
    assert request["body"]["force_task_id"] == result.comfy_prompt_id
    assert (request["body"]["prompt"], request["body"]["seed"]) == ("a lake", 5)
    told = json.loads(await studio.media.read_bytes(result.engine_log.key))
    assert (told["outcome"], told["seed"]) == ("succeeded", 5)
    assert result.engine.snapshot is not None
    snapshot = json.loads(await studio.media.read_bytes(result.engine.snapshot.key))
    assert snapshot["scripts"]["txt2img"][0] == "animatediff"


async def test_no_prompt_hides_in_a_stored_picture_and_jpegs_become_png(
    studio: WebuiScene,
) -> None:
    studio.webui.option(samples_format="jpg")
    async with studio.executor():
        job_id = await studio.job(txt2img())
        await studio.executed(job_id)
    (data,) = await studio.pictures(job_id)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.mode, picture.info) == ("PNG", "RGB", {})


async def test_a_chain_of_stills_goes_on_from_the_pictures_of_the_step_before(
    studio: WebuiScene,
) -> None:
    async with studio.executor():
        job_id = await studio.job(img2img(count=2), upscale(), stills=1)
        state = await studio.executed(job_id)
    sizes = [Image.open(io.BytesIO(data)).size for data in await studio.pictures(job_id, 1)]
    assert sizes == [(128, 128), (128, 128)]
    request = json.loads(await studio.media.read_bytes(state.finished[1].result.graph.key))
    before = state.finished[0].result.outputs[0].file
    index = json.loads(await studio.media.read_bytes(before.key))
    assert request["pictures"] == [picture["sha256"] for picture in index["pictures"]]
    assert "imageList" not in request["body"]
    assert state.execution is not None
    report = await studio.media.read_bytes(state.execution.report.key)
    assert len(ExecutionReport.model_validate_json(report).results) == 2


async def test_animatediff_leaves_exactly_its_frames_in_order(studio: WebuiScene) -> None:
    async with studio.executor():
        job_id = await studio.job(txt2img(), animated(num_frames=20))
        state = await studio.executed(job_id)
    assert await studio.counters(job_id, 1) == list(range(20))
    request = json.loads(await studio.media.read_bytes(state.finished[1].result.graph.key))
    (args,) = request["body"]["alwayson_scripts"]["AnimateDiff"]["args"]
    assert (args["format"], args["video_length"], args["enable"]) == (["PNG"], 20, True)
    assert [run["animated"] for run in studio.runs("img2img")] == [True]


async def test_deforum_leaves_exactly_its_frames_in_order(studio: WebuiScene) -> None:
    async with studio.executor():
        job_id = await studio.job(txt2img(), scripted({"schedules": {"zoom": "0: (1.02)"}}))
        state = await studio.executed(job_id)
    assert await studio.counters(job_id, 1) == list(range(6))
    result = state.finished[1].result
    request = json.loads(await studio.media.read_bytes(result.graph.key))
    assert request["body"]["batch_name"] == f"animatrix-{result.comfy_prompt_id}"
    assert (request["body"]["use_init"], request["body"]["zoom"]) == (True, "0: (1.02)")
    assert "init_image" not in request["body"]
    assert len(studio.runs("deforum")) == 1


async def test_a_video_that_deforum_left_instead_is_split_into_frames(studio: WebuiScene) -> None:
    studio.webui.order({"kind": "video_only", "times": 1})
    async with studio.executor():
        job_id = await studio.job(scripted(), stills=1)
        await studio.executed(job_id)
    assert await studio.counters(job_id) == list(range(6))


async def test_a_named_checkpoint_is_selected_before_the_call(studio: WebuiScene) -> None:
    async with studio.executor():
        job_id = await studio.job(txt2img(checkpoint="other-sd15.safetensors"))
        state = await studio.executed(job_id)
    told = json.loads(await studio.media.read_bytes(state.finished[0].result.engine_log.key))
    assert told["checkpoint"] == "other-sd15"


async def test_events_tell_the_way_of_a_step(studio: WebuiScene) -> None:
    studio.webui.speed(0.05)
    async with studio.executor():
        job_id = await studio.job(txt2img(steps=20))
        await studio.executed(job_id)
    told = await studio.told(job_id)
    assert told[3:] == [
        "step_ready",
        "step_assigned",
        "step_started",
        "step_finished",
        "execution_finished",
    ]


async def test_one_run_at_a_time_though_deforum_ignores_the_engines_line(
    studio: WebuiScene,
) -> None:
    studio.webui.speed(0.02)
    async with studio.executor():
        jobs = [await studio.job(scripted(), stills=1), await studio.job(txt2img(steps=10))]
        for job_id in jobs:
            await studio.executed(job_id)
    spans = sorted(
        (run["time"], event)
        for event in ("started", "finished")
        for run in studio.webui.journal(event)
    )
    assert [event for _, event in spans] == ["started", "finished"] * 2
