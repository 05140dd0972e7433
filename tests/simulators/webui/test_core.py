"""The simulated A1111 core: shapes, errors, lock, interrupts and files as the real one's."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.waiting import eventually
from tests.support.webui import WebUISimulator, counter, plain_png, start_webui

SMALL: dict[str, Any] = {"prompt": "a lake", "width": 64, "height": 64, "steps": 2, "seed": 5}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_txt2img_answers_bare_base64_and_info_as_a_string(http: httpx.Client) -> None:
    body = http.post("/sdapi/v1/txt2img", json={**SMALL, "n_iter": 3}).json()
    assert [counter(base64.b64decode(image)) for image in body["images"]] == [0, 1, 2]
    info = json.loads(body["info"])
    assert (info["seed"], info["all_seeds"], info["index_of_first_image"]) == (5, [5, 6, 7], 0)


def test_frames_are_marked_and_follow_prompt_seed_and_init_image(http: httpx.Client) -> None:
    def made(route: str = "txt2img", **more: Any) -> str:
        answer = http.post(f"/sdapi/v1/{route}", json={**SMALL, **more})
        return str(answer.json()["images"][0])

    assert made() == made()
    others = {made(), made(seed=6), made(prompt="a hill")}
    others |= {made("img2img", init_images=[_b64(plain_png())])}
    assert len(others) == 4


def test_odd_widths_and_unknown_fields_are_taken(http: httpx.Client) -> None:
    answer = http.post("/sdapi/v1/txt2img", json={**SMALL, "width": 65, "nonsense": 1})
    assert answer.status_code == 200


def test_a_grid_comes_first_when_images_are_saved(http: httpx.Client) -> None:
    body = http.post("/sdapi/v1/txt2img", json={**SMALL, "n_iter": 2, "save_images": True}).json()
    assert len(body["images"]) == 3
    assert json.loads(body["info"])["index_of_first_image"] == 1


def test_encoding_follows_the_servers_option(http: httpx.Client) -> None:
    http.post("/sdapi/v1/options", json={"samples_format": "jpg"})
    image = http.post("/sdapi/v1/txt2img", json=SMALL).json()["images"][0]
    assert base64.b64decode(image)[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize(
    ("route", "body", "status", "shape"),
    [
        ("txt2img", {"script_name": "nope"}, 422, {"error": "HTTPException", "body": ""}),
        ("txt2img", {"alwayson_scripts": {"nope": {}}}, 422, {"error": "HTTPException"}),
        ("txt2img", {"sampler_name": "nope"}, 404, {"detail": "Sampler not found"}),
        ("img2img", {}, 404, {"detail": "Init image not found"}),
        ("img2img", {"init_images": ["!!"]}, 500, {"detail": "Invalid encoded image"}),
        ("extra-batch-images", {"upscaler_1": "x", "imageList": []}, 500, {"detail": ""}),
        ("options", {"nope": 1}, 500, {"error": "KeyError"}),
    ],
)
def test_errors_have_the_shape_of_a1111(
    http: httpx.Client, route: str, body: dict[str, Any], status: int, shape: dict[str, Any]
) -> None:
    answer = http.post(f"/sdapi/v1/{route}", json=body)
    assert answer.status_code == status
    assert shape.items() <= answer.json().items()


def test_wrong_types_are_a_list_in_detail(http: httpx.Client) -> None:
    answer = http.post("/sdapi/v1/txt2img", json={"width": "wide"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "width"])


def test_forge_tells_errors_in_its_own_shape(webui: WebUISimulator, http: httpx.Client) -> None:
    webui.install(flavour="forge", checkpoints=[])
    assert list(http.post("/sdapi/v1/img2img", json={}).json()) == ["detail"]
    crash = http.post("/sdapi/v1/txt2img", json=SMALL)
    assert (crash.status_code, "message" in crash.json(), "errors" in crash.json()) == (
        500,
        True,
        False,
    )


def test_override_of_an_option_never_saved_is_not_restored(http: httpx.Client) -> None:
    def overridden() -> object:
        body = {**SMALL, "override_settings": {"CLIP_stop_at_last_layers": 2}}
        http.post("/sdapi/v1/txt2img", json=body)
        return http.get("/sdapi/v1/options").json()["CLIP_stop_at_last_layers"]

    assert overridden() == 2
    http.post("/sdapi/v1/options", json={"CLIP_stop_at_last_layers": 1})
    assert overridden() == 1


def test_unknown_checkpoint_override_is_silently_ignored(http: httpx.Client) -> None:
    body = {**SMALL, "override_settings": {"sd_model_checkpoint": "nope"}}
    answer = http.post("/sdapi/v1/txt2img", json=body)
    assert json.loads(answer.json()["info"])["sd_model_name"] == "simulated-sd15"


async def test_interrupted_run_answers_200_with_all_frames_and_no_marker(
    tmp_path: Path,
) -> None:
    with start_webui(tmp_path / "webui", step_s=0.05) as webui:
        async with httpx.AsyncClient(base_url=webui.url, timeout=30) as http:
            body = {**SMALL, "steps": 1000, "n_iter": 2, "force_task_id": "task(a)"}
            asked = asyncio.create_task(http.post("/sdapi/v1/txt2img", json=body))

            async def runs() -> bool:
                told = await http.post("/internal/progress", json={"id_task": "task(a)"})
                return bool(told.json()["active"])

            await eventually(runs)
            assert (await http.get("/sdapi/v1/progress")).json()["state"]["job_count"] == 2
            assert (await http.post("/sdapi/v1/interrupt")).json() == {}
            answer = await asked
    assert answer.status_code == 200
    assert len(answer.json()["images"]) == 2
    assert "interrupt" not in answer.text


async def test_result_of_a_client_that_left_is_lost_though_its_job_runs_on(
    tmp_path: Path,
) -> None:
    with start_webui(tmp_path / "webui", step_s=0.05) as webui:
        async with httpx.AsyncClient(base_url=webui.url, timeout=0.3) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.post("/sdapi/v1/txt2img", json={**SMALL, "steps": 20})
        ended = await eventually(lambda: webui.journal("finished", kind="txt2img"))
    assert (ended[0]["outcome"], ended[0]["delivered"]) == ("success", False)


async def test_one_lock_serialises_requests_and_a_failed_task_stays_active(
    tmp_path: Path,
) -> None:
    with start_webui(tmp_path / "webui", step_s=0.02) as webui:
        async with httpx.AsyncClient(base_url=webui.url, timeout=30) as http:
            bodies = [{**SMALL, "steps": 10, "force_task_id": f"task({n})"} for n in range(3)]
            await asyncio.gather(*(http.post("/sdapi/v1/txt2img", json=b) for b in bodies))
            started = [e["time"] for e in webui.journal("started")]
            finished = [e["time"] for e in webui.journal("finished")]
            assert all(s >= f for s, f in zip(started[1:], finished, strict=False))
            told = await http.post("/internal/progress", json={"id_task": "task(0)"})
            assert told.json()["completed"] is True
            webui.order({"kind": "error", "times": 1})
            await http.post("/sdapi/v1/txt2img", json={**SMALL, "force_task_id": "task(bad)"})
            told = await http.post("/internal/progress", json={"id_task": "task(bad)"})
            assert (told.json()["active"], told.json()["completed"]) == (True, False)


def test_password_guards_sdapi_alone_and_is_shown_in_clear(tmp_path: Path) -> None:
    with start_webui(tmp_path / "webui", more=["--auth", "u:secret"]) as webui:
        assert httpx.get(f"{webui.url}/sdapi/v1/options").status_code == 401
        assert httpx.get(f"{webui.url}/deforum_api/jobs").status_code == 200
        flags = httpx.get(f"{webui.url}/sdapi/v1/cmd-flags", auth=("u", "secret")).json()
    assert flags["api_auth"] == "u:secret"


def test_server_without_ui_lacks_its_routes(tmp_path: Path) -> None:
    with start_webui(tmp_path / "webui", more=["--nowebui"]) as webui:
        for path in ("/config", "/internal/ping", "/file=/x"):
            assert httpx.get(webui.url + path).json() == {"detail": "Not Found"}
        assert httpx.get(f"{webui.url}/sdapi/v1/options").status_code == 200


def test_uploads_are_served_back_and_nothing_outside_the_data_folder(
    webui: WebUISimulator, http: httpx.Client
) -> None:
    path = http.post("/upload", files={"files": ("../a.png", plain_png())}).json()[0]
    assert Path(path).is_relative_to(webui.state)
    assert http.get(f"/file={path}").content == plain_png()
    assert http.get("/file=/etc/hostname").status_code == 403
    assert http.get(f"/file={path}x").status_code == 404


def test_address_beyond_loopback_is_refused_unless_told(tmp_path: Path) -> None:
    beyond = start_webui(tmp_path / "webui", more=["--host", "0.0.0.0"])  # noqa: S104
    with pytest.raises(RuntimeError, match="--allow-remote"), beyond:
        pass


def test_it_says_that_it_is_a_simulator(http: httpx.Client) -> None:
    assert http.get("/simulator").json()["simulated"] is True
    assert "SIMULATED" in http.get("/").text
