"""The AnimateDiff adapter: what is sent, what is never sent, and successes that are none."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engines.webui import (
    AnimateDiffSettings,
    Backoff,
    CapabilityMissing,
    CapabilitySnapshot,
    EngineAddress,
    FreeInit,
    Generated,
    GenerationFailed,
    Img2Img,
    LatentRamp,
    NotAnimated,
    RequestRefused,
    ResultLost,
    Txt2Img,
    UnfitSettings,
    UnreadablePicture,
    WebUIClient,
    WrongFrameCount,
    animate,
    payload,
    probe,
)
from simulators.webui.animatediff import defaults
from tests.support.webui import WebUISimulator, counter, plain_png, start_webui

MODEL = "mm_sd15_v3.safetensors"
SHOWN = frozenset(defaults(freeinit=True))
SMALL: dict[str, Any] = {"seed": 5, "steps": 1, "width_px": 64, "height_px": 64}


def clip(**more: Any) -> AnimateDiffSettings:
    chosen: dict[str, Any] = {"model": MODEL, "frames": 20, **more}
    return AnimateDiffSettings(**chosen)


@pytest.fixture
def webui(tmp_path: Path) -> Iterator[WebUISimulator]:
    with start_webui(tmp_path / "webui") as running:
        yield running


@pytest.fixture
async def client(webui: WebUISimulator) -> AsyncIterator[WebUIClient]:
    address = EngineAddress(webui.url)
    async with WebUIClient(address, backoff=Backoff(0.01, 0.05), poll_s=0.05) as opened:
        yield opened


async def run(
    client: WebUIClient,
    settings: AnimateDiffSettings,
    *,
    asked: Txt2Img | None = None,
    seen: CapabilitySnapshot | None = None,
) -> Generated:
    there = seen or await probe(client)
    return await animate(
        client,
        asked or Txt2Img(prompt="a lake", **SMALL),
        settings,
        shown=there.argument_keys("txt2img"),
        models=there.motion_models,
        deadline_s=30,
    )


@pytest.mark.parametrize("frames", [2, 5, 16, 20, 33])
async def test_exactly_the_frames_asked_for_come_back_in_order(
    client: WebUIClient, frames: int
) -> None:
    made = await run(client, clip(frames=frames))
    assert [counter(picture.data) for picture in made.pictures] == list(range(frames))


async def test_every_setting_at_once_animates_a_picture(client: WebUIClient) -> None:
    asked = Img2Img(prompt="0: a lake\n19: a hill", **SMALL, init_image=plain_png(), strength=0.5)
    settings = clip(
        fps=12,
        context_frames=8,
        closed_loop="R+P",
        stride=2,
        overlap=4,
        freeinit=FreeInit(filter="gaussian"),
        first=LatentRamp(),
        last=LatentRamp(power=2),
        last_frame=plain_png(mode="RGBA"),
    )
    made = await run(client, settings, asked=asked)
    assert len(made.pictures) == 20
    assert "last_frame: True" in made.extra["AnimateDiff"]


def test_payload_is_one_dict_of_shown_keys_with_raw_frames() -> None:
    entry = payload(clip(freeinit=FreeInit()), SHOWN)
    (args,) = entry["AnimateDiff"]["args"]
    assert args["format"] == ["PNG"]
    assert set(args) <= SHOWN - {"video_default", "is_i2i_batch", "prompt_scheduler"}
    assert (args["enable"], args["video_length"], args["batch_size"]) == (True, 20, 16)
    assert payload(clip(frames=5), SHOWN)["AnimateDiff"]["args"][0]["batch_size"] == 5


def test_setting_whose_key_is_not_shown_is_refused_before_it_silently_does_nothing() -> None:
    with pytest.raises(UnfitSettings, match="freeinit_ds"):
        payload(clip(freeinit=FreeInit()), defaults(freeinit=False))
    assert payload(clip(), defaults(freeinit=False))


def test_optional_keys_are_left_out_where_they_are_not_shown() -> None:
    (args,) = payload(clip(), SHOWN - {"interp", "loop_number"})["AnimateDiff"]["args"]
    assert not {"interp", "loop_number"} & set(args)


def test_last_frame_is_sent_as_rgb_and_an_unreadable_one_not_at_all() -> None:
    (args,) = payload(clip(last_frame=plain_png(mode="RGBA")), SHOWN)["AnimateDiff"]["args"]
    sent = base64.b64decode(args["last_frame"])
    assert Image.open(BytesIO(sent)).mode == "RGB"
    with pytest.raises(UnfitSettings, match="picture"):
        payload(clip(last_frame=b"GIF89a"), SHOWN)


@pytest.mark.parametrize(
    "poison",
    [
        {"fps": 0},
        {"fps": 7.5},
        {"fps": True},
        {"frames": 0},
        {"frames": 1},
        {"context_frames": 21},
        {"context_frames": 33, "frames": 64},
        {"closed_loop": "X"},
        {"stride": 0},
        {"overlap": 16},
        {"model": ""},
    ],
)
def test_poisoning_and_misread_values_cannot_be_made(poison: dict[str, Any]) -> None:
    with pytest.raises(UnfitSettings):
        clip(**poison)


@pytest.mark.parametrize(
    "bad", [lambda: FreeInit(ds=2), lambda: FreeInit(iters=9), lambda: LatentRamp(scale=0)]
)
def test_ramps_and_freeinit_have_bounds(bad: Any) -> None:
    with pytest.raises(UnfitSettings):
        bad()


async def test_prompt_at_a_frame_beyond_the_end_is_refused_before_it_poisons(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    asked = Txt2Img(prompt="0: a lake\n 20 : a hill", **SMALL)
    with pytest.raises(UnfitSettings, match="frame 20"):
        await run(client, clip(), asked=asked)
    assert not webui.poisoned
    assert webui.journal("accepted") == []


async def test_missing_motion_model_is_refused_before_the_silent_fallback(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    with pytest.raises(CapabilityMissing, match=r"nope\.ckpt"):
        await run(client, clip(model="nope.ckpt"))
    assert webui.journal("accepted") == []


async def test_model_that_vanished_since_the_snapshot_is_no_success(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    seen = await probe(client)
    webui.install(motion_models=["other.ckpt"])
    with pytest.raises(NotAnimated):
        await run(client, clip(), seen=seen)
    assert webui.journal("finished")[0]["outcome"] == "success"


async def test_key_that_vanished_since_the_snapshot_is_no_success(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    seen = await probe(client)
    webui.install(freeinit=False)
    with pytest.raises(NotAnimated):
        await run(client, clip(freeinit=FreeInit()), seen=seen)


async def test_silent_fallback_is_no_success(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "silent_fallback", "times": 1})
    with pytest.raises(NotAnimated):
        await run(client, clip())


async def test_fewer_frames_are_no_success(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "short_frames", "times": 1})
    with pytest.raises(WrongFrameCount) as told:
        await run(client, clip())
    assert (told.value.expected, told.value.found) == (20, 19)


async def test_broken_frame_is_no_success(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.order({"kind": "corrupt_frames", "times": 1})
    with pytest.raises(UnreadablePicture) as told:
        await run(client, clip())
    assert told.value.index == 19


async def test_frames_lost_with_the_connection_are_lost(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "drop", "times": 1})
    with pytest.raises(ResultLost):
        await run(client, clip())


async def test_switched_off_extension_is_missing_and_comes_back_without_a_restart(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    seen = await probe(client)
    webui.install(animatediff=False)
    with pytest.raises(CapabilityMissing, match="AnimateDiff"):
        await run(client, clip())
    with pytest.raises(RequestRefused, match="not found"):
        await run(client, clip(), seen=seen)
    webui.install(animatediff=True)
    assert len((await run(client, clip())).pictures) == 20


async def test_server_poisoned_by_somebody_else_fails_stills_until_a_clip_heals_it(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    asked = Txt2Img(prompt="a lake", **SMALL)
    bad = {"alwayson_scripts": {"AnimateDiff": {"args": [{"enable": True, "fps": 0}]}}}
    with pytest.raises(GenerationFailed, match="Einops"):
        await client.generate(asked, deadline_s=9, extra=bad)
    with pytest.raises(GenerationFailed):
        await client.stills(asked, deadline_s=9)
    await run(client, clip())
    assert len((await client.stills(asked, deadline_s=9)).pictures) == 1
