"""The simulated Deforum API: jobs, files, and successes that are none."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.webui import WebUISimulator, counter, plain_png, start_webui

CONTROLNET = {
    f"cn_{unit}_{part}": "0:(1)"
    for unit in range(1, 6)
    for part in ("weight", "guidance_start", "guidance_end")
}
GOOD: dict[str, Any] = {
    **CONTROLNET,
    "W": 64,
    "H": 64,
    "steps": 1,
    "seed": 5,
    "max_frames": 7,
    "animation_mode": "2D",
    "prompts": {"0": "a lake"},
    "diffusion_cadence": 1,
    "skip_video_creation": True,
    "batch_name": "one",
}


def _submit(http: httpx.Client, settings: dict[str, Any]) -> str:
    answer = http.post("/deforum_api/batches", json={"deforum_settings": settings})
    assert answer.status_code == 202
    return str(answer.json()["job_ids"][0])


def _job(http: httpx.Client, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/deforum_api/jobs/{quote(job_id, safe='')}").json()
    return found


def _until(
    http: httpx.Client, job_id: str, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while not fits(job := _job(http, job_id)):
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def _done(http: httpx.Client, settings: dict[str, Any]) -> dict[str, Any]:
    return _until(http, _submit(http, settings), lambda job: job["status"] != "ACCEPTED")


def _frames(job: dict[str, Any]) -> list[Path]:
    return sorted(Path(job["outdir"]).glob(f"{job['timestring']}_*.png"))


def test_good_job_leaves_numbered_frames_that_count(http: httpx.Client) -> None:
    job = _done(http, GOOD)
    assert (job["status"], job["phase"], job["error_type"]) == ("SUCCEEDED", "DONE", "NONE")
    assert [counter(path.read_bytes()) for path in _frames(job)] == list(range(7))
    assert _frames(job)[3].name == f"{job['timestring']}_000000003.png"


def test_without_controlnet_every_job_fails(webui: WebUISimulator, http: httpx.Client) -> None:
    webui.install(controlnet=False)
    assert _done(http, GOOD)["status"] == "FAILED"


def test_omitted_controlnet_keys_fail(http: httpx.Client) -> None:
    job = _done(http, {k: v for k, v in GOOD.items() if k != "cn_5_weight"})
    assert (job["status"], job["error_type"]) == ("FAILED", "TERMINAL")


@pytest.mark.parametrize(("frames", "cadence", "made"), [(10, 3, 9), (9, 2, 8), (7, 1, 7)])
def test_cadence_drops_frames_and_still_succeeds(
    http: httpx.Client, frames: int, cadence: int, made: int
) -> None:
    job = _done(http, {**GOOD, "max_frames": frames, "diffusion_cadence": cadence})
    assert (job["status"], len(_frames(job))) == ("SUCCEEDED", made)


def test_unknown_mode_succeeds_with_no_frames(http: httpx.Client) -> None:
    job = _done(http, {**GOOD, "animation_mode": "4D"})
    assert (job["status"], _frames(job)) == ("SUCCEEDED", [])


def test_missing_prompts_succeed_with_a_dummy(webui: WebUISimulator, http: httpx.Client) -> None:
    settings = {k: v for k, v in GOOD.items() if k != "prompts"}
    assert _done(http, settings)["status"] == "SUCCEEDED"
    assert webui.journal("finished")[-1]["prompts"] == {"0": "dummy value"}


def test_cancelled_queued_job_says_so_and_runs_all_the_same(
    webui: WebUISimulator, http: httpx.Client
) -> None:
    webui.speed(0.1)
    first = _submit(http, GOOD)
    _until(http, first, lambda job: job["phase"] == "GENERATING")
    second = _submit(http, {**GOOD, "batch_name": "two"})
    assert http.delete(f"/deforum_api/jobs/{quote(second, safe='')}").status_code == 200
    assert _job(http, second)["status"] == "CANCELLED"
    assert http.delete(f"/deforum_api/jobs/{quote(second, safe='')}").status_code == 400
    webui.speed(0)
    assert len(_frames(_until(http, second, lambda job: job["status"] == "SUCCEEDED"))) == 7


def test_core_interrupt_leaves_a_job_accepted_for_good(
    webui: WebUISimulator, http: httpx.Client
) -> None:
    webui.speed(0.1)
    job_id = _submit(http, {**GOOD, "max_frames": 100})
    _until(http, job_id, lambda job: job["phase"] == "GENERATING")
    http.post("/sdapi/v1/interrupt")
    job = _until(http, job_id, lambda job: job["phase"] == "POST_PROCESSING")
    assert job["status"] == "ACCEPTED"
    assert webui.journal("finished", id=job_id)[0]["outcome"] == "interrupted"


def test_deforum_ignores_the_lock_of_the_core(webui: WebUISimulator, http: httpx.Client) -> None:
    webui.order({"kind": "slow", "where": "txt2img", "seconds": 3})
    with pytest.raises(httpx.ReadTimeout):
        http.post("/sdapi/v1/txt2img", json={"width": 64, "height": 64}, timeout=0.1)
    assert _done(http, GOOD)["status"] == "SUCCEEDED"
    assert webui.journal("finished", kind="txt2img") == []


def test_repeated_batch_name_reuses_the_folder(http: httpx.Client) -> None:
    first = _done(http, GOOD)
    assert _done(http, GOOD)["outdir"] == first["outdir"]


def test_init_image_is_a_path_on_the_server_only(http: httpx.Client) -> None:
    path = http.post("/upload", files={"files": ("a.png", plain_png())}).json()[0]
    with_init = {**GOOD, "use_init": True, "init_image": path}
    first = _frames(_done(http, with_init))[0].read_bytes()
    assert first != _frames(_done(http, {**GOOD, "batch_name": "other"}))[0].read_bytes()
    assert _done(http, {**with_init, "init_image": "/etc/hostname"})["status"] == "FAILED"


def test_unknown_ids_are_404_for_jobs_and_500_for_batches(http: httpx.Client) -> None:
    assert http.get("/deforum_api/jobs/x").status_code == 404
    assert http.delete("/deforum_api/jobs/x").status_code == 404
    assert http.get("/deforum_api/batches/x").status_code == 500


def test_switched_off_its_routes_are_gone(webui: WebUISimulator, http: httpx.Client) -> None:
    webui.install(deforum=False)
    assert http.get("/deforum_api/jobs").json() == {"detail": "Not Found"}
    assert "/deforum_api/jobs" not in http.get("/openapi.json").json()["paths"]


def test_restart_forgets_jobs(webui: WebUISimulator, http: httpx.Client) -> None:
    _done(http, GOOD)
    webui.process.kill()
    webui.process.wait(10)
    with start_webui(webui.state, port=webui.port) as again:
        assert httpx.get(f"{again.url}/deforum_api/jobs").json() == {}
