"""The WebUI client: stills, upscaling, errors of every shape, lost and interrupted runs."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from engines.http.transport import Answer
from engines.webui import (
    Backoff,
    Basic,
    CapabilityMissing,
    EngineAddress,
    EngineRefused,
    EngineUnreachable,
    FileMissing,
    GenerationFailed,
    Img2Img,
    Interrupted,
    Overdue,
    ProtocolError,
    RequestRefused,
    ResultLost,
    Txt2Img,
    UnfitSettings,
    UnreadablePicture,
    Upscale,
    WebUIClient,
    WrongFrameCount,
)
from engines.webui.refusals import error_for, told_in
from tests.support.waiting import eventually
from tests.support.webui import WebUISimulator, counter, plain_png, start_webui

QUICK = Backoff(0.01, 0.05)


def still(**more: Any) -> Txt2Img:
    small: dict[str, Any] = {"prompt": "a lake", "seed": 5, "steps": 2}
    return Txt2Img(**{**small, "width_px": 64, "height_px": 64, **more})


@pytest.fixture
def webui(tmp_path: Path) -> Iterator[WebUISimulator]:
    with start_webui(tmp_path / "webui") as running:
        yield running


@pytest.fixture
async def client(webui: WebUISimulator) -> AsyncIterator[WebUIClient]:
    address = EngineAddress(webui.url)
    async with WebUIClient(address, backoff=QUICK, poll_s=0.05) as opened:
        yield opened


async def test_stills_come_back_in_order_with_their_record(client: WebUIClient) -> None:
    made = await client.stills(still(count=3), deadline_s=30)
    assert [counter(picture.data) for picture in made.pictures] == [0, 1, 2]
    assert (made.seed, made.checkpoint, len(made.infotexts)) == (5, "simulated-sd15", 3)
    assert made.version is not None


async def test_img2img_uses_its_picture(client: WebUIClient) -> None:
    small: dict[str, Any] = {"prompt": "a lake", "seed": 5, "width_px": 64, "height_px": 64}
    asked = Img2Img(**small, init_image=plain_png(mode="RGBA"), strength=0.1)
    made = (await client.stills(asked, deadline_s=30)).pictures[0]
    red, green, _ = Image.open(io.BytesIO(made.data)).convert("RGB").getpixel((40, 4))  # type: ignore[misc]
    assert red > 200 > 100 > green


@pytest.mark.parametrize(("option", "kind"), [("jpg", "image/jpeg"), ("webp", "image/webp")])
async def test_format_is_told_by_the_bytes(client: WebUIClient, option: str, kind: str) -> None:
    await client.set_options({"samples_format": option})
    made = await client.stills(still(), deadline_s=30)
    assert made.pictures[0].media_type == kind


async def test_upscaled_pictures_keep_their_order(client: WebUIClient) -> None:
    made = await client.stills(still(count=2), deadline_s=30)
    given = tuple(picture.data for picture in made.pictures)
    larger = await client.upscale(Upscale(images=given, factor=2, upscaler="Lanczos"), deadline_s=9)
    assert [(p.width_px, p.height_px) for p in larger] == [(128, 128)] * 2
    assert [counter(picture.data) for picture in larger] == [0, 1]


async def test_pictures_that_are_no_larger_are_no_success(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "silent_fallback", "where": "extras", "times": 1})
    asked = Upscale(images=(plain_png(),), factor=2, upscaler="Lanczos")
    with pytest.raises(UnreadablePicture, match="64x64"):
        await client.upscale(asked, deadline_s=9)


async def test_unknown_upscaler_is_a_failed_run(client: WebUIClient) -> None:
    asked = Upscale(images=(plain_png(),), factor=2, upscaler="nope")
    with pytest.raises(GenerationFailed, match="nope"):
        await client.upscale(asked, deadline_s=9)


@pytest.mark.parametrize(
    "unfit",
    [{"width_px": 65}, {"height_px": 8}, {"steps": 0}, {"seed": -1}, {"count": 0}],
)
def test_what_the_server_would_silently_change_is_never_sent(unfit: dict[str, int]) -> None:
    with pytest.raises(UnfitSettings):
        still(**unfit)


async def test_unknown_sampler_is_refused_for_good(client: WebUIClient) -> None:
    with pytest.raises(RequestRefused) as told:
        await client.stills(still(sampler="nope"), deadline_s=9)
    assert (told.value.status, told.value.message) == (404, "Sampler not found")


@pytest.mark.parametrize("flavour", ["a1111", "forge"])
async def test_out_of_memory_is_told_apart(
    webui: WebUISimulator, client: WebUIClient, flavour: str
) -> None:
    webui.install(flavour=flavour)
    webui.order({"kind": "oom", "times": 1}, {"kind": "error", "times": 1})
    with pytest.raises(GenerationFailed) as told:
        await client.stills(still(), deadline_s=9)
    assert (told.value.out_of_memory, told.value.kind) == (True, "OutOfMemoryError")
    with pytest.raises(GenerationFailed) as told:
        await client.stills(still(), deadline_s=9)
    assert (told.value.out_of_memory, told.value.message) == (False, "ordered fault")


async def test_missing_checkpoint_is_a_failed_run(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.install(checkpoints=[])
    with pytest.raises(GenerationFailed, match="sd_checkpoint_info"):
        await client.stills(still(), deadline_s=9)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":"HTTPException","detail":"Script \'X\' not found","errors":""}', "Script 'X'"),
        (b'{"detail":[{"loc":["body","width"],"msg":"not a number","type":"t"}]}', "body.width"),
        (b'{"error":"ValueError","detail":"","body":"","errors":"text"}', "text"),
        (b'{"error":"ValueError","message":"forge text"}', "forge text"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b"Internal Server Error", "Internal Server Error"),
        (b"[1]", "[1]"),
        (b"", ""),
    ],
)
def test_every_error_shape_is_read(body: bytes, message: str) -> None:
    answer = Answer(422, body, "application/json")
    assert message in told_in(answer).message
    assert isinstance(error_for("http://e", "POST", "/x", answer), RequestRefused)


async def test_result_lost_with_its_connection_is_never_a_success_nor_sent_twice(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "drop", "times": 1})
    with pytest.raises(ResultLost) as told:
        await client.stills(still(), deadline_s=9, task_id="task(lost)")
    assert told.value.task_id == "task(lost)"
    assert [e["delivered"] for e in webui.journal("finished")] == [False]
    assert len(webui.journal("accepted")) == 1
    assert await client.abandon("task(lost)")


async def test_server_that_dies_while_it_runs_loses_the_result(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "exit"})
    with pytest.raises(ResultLost):
        await client.stills(still(), deadline_s=9)
    await asyncio.to_thread(webui.process.wait, 10)
    with pytest.raises(EngineUnreachable):  # certainly not sent: nothing is lost
        await client.stills(still(), deadline_s=9)


async def test_lost_run_can_be_stopped_so_that_nothing_waits_behind_it(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.05)
    body = {"prompt": "a", "width": 64, "height": 64, "steps": 1000, "force_task_id": "task(x)"}
    async with httpx.AsyncClient(base_url=webui.url, timeout=0.3) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/sdapi/v1/txt2img", json=body)
    assert await client.abandon("task(x)", patience_s=10)
    assert webui.journal("finished", id="task(x)")[0]["outcome"] == "interrupted"


async def test_interrupted_run_is_never_a_success_though_the_server_says_so(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.05)
    seen: list[float] = []
    asked = asyncio.create_task(
        client.stills(still(steps=150), deadline_s=60, task_id="t", on_progress=seen.append)
    )
    await eventually(lambda: len(seen) > 1)
    await client.interrupt("t")
    with pytest.raises(Interrupted) as told:
        await asked
    assert told.value.by_us
    assert webui.journal("finished")[0]["delivered"] is True
    assert sorted(seen) == seen


async def test_foreign_interrupt_is_seen(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.speed(0.05)
    asked = asyncio.create_task(client.stills(still(steps=150), deadline_s=60))
    await eventually(lambda: webui.journal("started"))
    await asyncio.sleep(0.2)
    webui.interrupt()
    with pytest.raises(Interrupted) as told:
        await asked
    assert not told.value.by_us


async def test_queued_run_is_stopped_when_its_turn_comes_and_the_one_before_is_spared(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.02)
    first = asyncio.create_task(client.stills(still(steps=60), deadline_s=60, task_id="first"))
    await eventually(lambda: webui.journal("started"))
    second = asyncio.create_task(client.stills(still(steps=150), deadline_s=60, task_id="second"))
    await eventually(lambda: len(webui.journal("accepted")) == 2)
    await client.interrupt("second")
    assert len((await first).pictures) == 1
    with pytest.raises(Interrupted):
        await second
    outcomes = {e["id"]: e["outcome"] for e in webui.journal("finished")}
    assert outcomes == {"first": "success", "second": "interrupted"}


async def test_overdue_run_is_told_to_stop(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.speed(0.1)
    with pytest.raises(Overdue):
        await client.stills(still(steps=150), deadline_s=0.6)
    ended = await eventually(lambda: webui.journal("finished"))
    assert ended[0]["outcome"] == "interrupted"


async def test_overdue_run_still_in_line_spares_the_one_before(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.speed(0.02)
    first = asyncio.create_task(client.stills(still(steps=80), deadline_s=60))
    await eventually(lambda: webui.journal("started"))
    with pytest.raises(Overdue):
        await client.stills(still(), deadline_s=0.5)
    assert len((await first).pictures) == 1


async def test_fewer_pictures_than_asked_for_are_no_success(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "short_frames", "times": 1})
    with pytest.raises(WrongFrameCount) as told:
        await client.stills(still(count=3), deadline_s=9)
    assert (told.value.expected, told.value.found) == (3, 2)


async def test_broken_picture_is_no_success(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "corrupt_frames", "times": 1})
    with pytest.raises(UnreadablePicture):
        await client.stills(still(), deadline_s=9)


async def test_unreadable_record_is_no_success(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "garbled_info", "times": 1})
    with pytest.raises(ProtocolError, match="info"):
        await client.stills(still(), deadline_s=9)


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_proxy_that_gave_up_loses_the_result(
    webui: WebUISimulator, client: WebUIClient, status: int
) -> None:
    webui.order({"kind": "http", "path": "/sdapi/v1/txt2img", "status": status, "times": 1})
    with pytest.raises(ResultLost):
        await client.stills(still(), deadline_s=9)


async def test_checkpoint_is_selected_and_proved(client: WebUIClient) -> None:
    await client.select_checkpoint("simulated-sd15.safetensors")
    await client.select_checkpoint("other-sd15.safetensors [0a1b2c3d4e]")
    made = await client.stills(still(), deadline_s=9)
    assert made.checkpoint == "other-sd15"
    with pytest.raises(CapabilityMissing, match="nope"):
        await client.select_checkpoint("nope")


async def test_unknown_option_is_told(client: WebUIClient) -> None:
    with pytest.raises(GenerationFailed, match="KeyError"):
        await client.set_options({"nope": 1})


async def test_upload_comes_back_whole_and_only_served_folders_are_read(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    path = await client.upload(plain_png(), name="lake.png")
    assert await client.file(path) == plain_png()
    with pytest.raises(FileMissing):
        await client.file(f"{path}x")
    with pytest.raises(EngineRefused):
        await client.file("/etc/hostname")
    with pytest.raises(ValueError, match="name"):
        await client.upload(b"", name='a".png')


async def test_password_is_sent_and_never_shown(tmp_path: Path) -> None:
    with start_webui(tmp_path / "locked", more=["--auth", "studio:pa:ss"]) as webui:
        address = EngineAddress(webui.url, auth=Basic("studio", "pa:ss"))
        async with WebUIClient(address, backoff=QUICK) as client:
            assert len((await client.stills(still(), deadline_s=9)).pictures) == 1
        async with WebUIClient(EngineAddress(webui.url), backoff=QUICK) as stranger:
            with pytest.raises(EngineRefused):
                await stranger.stills(still(), deadline_s=9)
    assert "pa:ss" not in f"{client!r} {address!r}"


async def test_server_without_ui_takes_no_upload_and_still_generates(tmp_path: Path) -> None:
    with start_webui(tmp_path / "api", more=["--nowebui"], step_s=0.02) as webui:
        async with WebUIClient(EngineAddress(webui.url), poll_s=0.05) as client:
            with pytest.raises(CapabilityMissing):
                await client.upload(plain_png(), name="a.png")
            assert await client.task_progress("t") is None
            assert len((await client.stills(still(), deadline_s=9)).pictures) == 1
            asked = asyncio.create_task(client.stills(still(steps=150), deadline_s=60, task_id="t"))
            await eventually(lambda: len(webui.journal("started")) == 2)
            await client.interrupt("t")
            with pytest.raises(Interrupted):
                await asked
