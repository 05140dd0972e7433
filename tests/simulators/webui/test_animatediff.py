"""The simulated AnimateDiff: what animates, what silently does not, and what poisons."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support.webui import WebUISimulator, counter, plain_png

GOOD: dict[str, Any] = {"enable": True, "video_length": 20, "format": ["PNG"]}


def _asked(args: Any, prompt: str = "a lake", **more: Any) -> dict[str, Any]:
    scripts = {"AnimateDiff": {"args": args}}
    small = {"prompt": prompt, "width": 64, "height": 64, "steps": 1, "seed": 5}
    return {**small, "alwayson_scripts": scripts, **more}


def _post(http: httpx.Client, args: Any, **more: Any) -> tuple[list[bytes], dict[str, str]]:
    body = http.post("/sdapi/v1/txt2img", json=_asked(args, **more)).json()
    images = [base64.b64decode(image) for image in body["images"]]
    return images, json.loads(body["info"])["extra_generation_params"]


def test_png_format_gives_every_frame_in_order(http: httpx.Client) -> None:
    images, extra = _post(http, [GOOD])
    assert [counter(image) for image in images] == list(range(20))
    assert "AnimateDiff" in extra


@pytest.mark.parametrize(
    "args",
    [
        [{**GOOD, "model": "missing.safetensors"}],
        [{**GOOD, "unknown_key": 1}],
        [{"enable": True}, {"video_length": 20}],
        [True, "mm_sd15_v3.safetensors", 20],
        [{**GOOD, "enable": False}],
    ],
    ids=["missing model", "unknown key", "split dicts", "flat args", "not enabled"],
)
def test_silent_fallback_is_a_200_with_one_still(http: httpx.Client, args: Any) -> None:
    images, extra = _post(http, args)
    assert (len(images), extra) == (1, {})


@pytest.mark.parametrize(
    "bad",
    [{"format": ["Frame"]}, {"format": "PNG"}, {"fps": 0}, {"format": ["APNG"]}],
    ids=["Frame alone", "string", "fps 0", "unknown"],
)
def test_bad_values_poison_the_server_until_a_valid_run(
    webui: WebUISimulator, http: httpx.Client, bad: dict[str, Any]
) -> None:
    answer = http.post("/sdapi/v1/txt2img", json=_asked([{**GOOD, **bad}]))
    assert (answer.status_code, answer.json()["error"]) == (500, "EinopsError")
    plain = {"width": 64, "height": 64, "steps": 1}
    assert http.post("/sdapi/v1/txt2img", json=plain).status_code == 500
    assert webui.poisoned
    _post(http, [GOOD])
    assert http.post("/sdapi/v1/txt2img", json=plain).status_code == 200


def test_prompt_travel_out_of_range_gives_the_count_unanimated_and_poisons(
    webui: WebUISimulator, http: httpx.Client
) -> None:
    images, extra = _post(http, [GOOD], prompt="0: a lake\n20: a hill")
    assert (len(images), "AnimateDiff" in extra) == (20, True)
    assert webui.journal("finished")[-1]["animated"] is False
    assert webui.poisoned


def test_short_clip_comes_back_as_long_as_the_context(http: httpx.Client) -> None:
    assert len(_post(http, [{**GOOD, "video_length": 4}])[0]) == 16
    assert len(_post(http, [{**GOOD, "video_length": 4, "batch_size": 4}])[0]) == 4


def test_video_formats_come_in_a_fixed_order_and_without_frames(http: httpx.Client) -> None:
    short = {**GOOD, "video_length": 4, "batch_size": 4}
    videos, _ = _post(http, [{**short, "format": ["WEBM", "PNG", "GIF"]}])
    assert [video[:4] for video in videos] == [b"GIF8", b"\x1aE\xdf\xa3"]
    with_frames, _ = _post(http, [{**short, "format": ["Frame", "GIF"]}])
    assert [image[:4] for image in with_frames] == [b"GIF8", *[b"\x89PNG"] * 4]


def test_last_frame_of_another_mode_is_silently_ignored(http: httpx.Client) -> None:
    def told(data: bytes) -> str:
        last = base64.b64encode(data).decode()
        return _post(http, [{**GOOD, "last_frame": last}])[1]["AnimateDiff"]

    assert "last_frame: True" in told(plain_png())
    assert "last_frame: False" in told(plain_png(mode="RGBA"))


def test_two_init_images_are_a_500(http: httpx.Client) -> None:
    init = [base64.b64encode(plain_png()).decode()] * 2
    answer = http.post("/sdapi/v1/img2img", json=_asked([GOOD], init_images=init))
    assert answer.status_code == 500


def test_switched_off_it_is_an_unknown_script_and_on_again_it_works(
    webui: WebUISimulator, http: httpx.Client
) -> None:
    webui.install(animatediff=False)
    assert http.post("/sdapi/v1/txt2img", json=_asked([GOOD])).status_code == 422
    assert "animatediff" not in http.get("/sdapi/v1/scripts").json()["txt2img"]
    webui.install(animatediff=True)
    assert len(_post(http, [GOOD])[0]) == 20


def test_switched_off_freeinit_leaves_the_shown_arguments(
    webui: WebUISimulator, http: httpx.Client
) -> None:
    webui.install(freeinit=False)
    shown = http.get("/sdapi/v1/script-info").json()[0]["args"][0]["value"]
    assert "freeinit_enable" not in shown
    images, extra = _post(http, [{**GOOD, "freeinit_enable": True}])
    assert (len(images), extra) == (1, {})
