"""The commands against a running system, as a user meets them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.demo_assets import CHARACTER, MOTION, SPEECH, demo_assets, sha256_of
from cli.main import app
from tests.support.system import System, running_system

PACKAGED = {name: str(asset.path) for name, asset in demo_assets().items()}
PERFORM = ("submit", "audio-performance", "--prompt", "she speaks", "--quality", "draft")
ANIMATE = ("submit", "animate", "--prompt", "she waves", "--quality", "draft")


pytestmark = pytest.mark.xdist_group("cli-commands")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    var = tmp_path_factory.mktemp("commands") / "var"
    with running_system(var, COMFYUI_SIMULATOR_SPEED="0") as running:
        yield running


def animatrix(system: System, *arguments: str) -> Result:
    """The command's exit code and output, on the system's data folder."""
    env = {"ANIMATRIX_VAR": str(system.var), "ANIMATRIX_URL": None, "COLUMNS": "120"}
    return CliRunner().invoke(app, arguments, env=env)


def test_demo_delivers_two_checked_videos_and_says_that_they_are_simulated(
    system: System, tmp_path: Path
) -> None:
    shown = animatrix(system, "demo", "--out", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("SIMULATED: a marked test video") == 2
    assert "WRONG" not in shown.output
    for mode, frames in (("animate", 77), ("audio_performance", 70)):
        manifest = json.loads((tmp_path / mode / "job_manifest.json").read_text())
        assert manifest["simulated"] is True
        assert manifest["delivered_sha256"] == sha256_of(tmp_path / mode / "video.mp4")
        assert manifest["delivery"]["frames"] == frames
        assert (tmp_path / mode / "poster.jpg").stat().st_size > 0


def test_doctor_finds_the_running_system_well(system: System) -> None:
    shown = animatrix(system, "doctor")
    assert shown.exit_code == 0, shown.output
    for part in ("nats", "simulator", "gateway", "ingest", "composer", "executor", "collector"):
        assert any(
            line.split()[:3] == ["ok", part, "ready,"] for line in shown.output.splitlines()
        ), shown.output
    assert "SIMULATED, " in shown.output
    assert "available: draft, standard, high" in shown.output


def test_a_submitted_job_is_watched_to_its_end_and_listed(system: System, tmp_path: Path) -> None:
    files = ("--image", PACKAGED[CHARACTER], "--audio", PACKAGED[SPEECH], "--duration", "1")
    sent = animatrix(system, *PERFORM, *files)
    assert sent.exit_code == 0, sent.output
    job_id = sent.stdout.split()[0]
    watched = animatrix(system, "watch", job_id, "--out", str(tmp_path))
    assert watched.exit_code == 0, watched.output
    assert (tmp_path / "video.mp4").is_file()
    listed = animatrix(system, "jobs")
    assert f"{job_id}  audio" in listed.stdout
    assert "completed simulated" in listed.stdout


def kill_when_watched(system: System) -> None:
    """SIGKILLs the gateway as soon as somebody is on one of its event streams."""
    children = json.loads((system.var / "run" / "state.json").read_text())["children"]
    metrics = f"http://127.0.0.1:{children['gateway']['ports']['health']}/metrics"
    until_s = time.monotonic() + 60
    while "animatrix_sse_clients 1.0" not in httpx.get(metrics, timeout=10).text:
        assert time.monotonic() < until_s
        time.sleep(0.02)
    system.kill("gateway")


def wait_until_back(system: System) -> None:
    """Until the gateway answers again."""
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        try:
            if httpx.get(f"{system.url}/api/capabilities", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the gateway did not come back")


def test_watching_goes_on_through_a_killed_gateway(system: System) -> None:
    engine = json.loads((system.var / "run" / "state.json").read_text())["engine"]["url"]
    slow = {"kind": "slow", "class": "KSampler", "seconds": 3, "times": 1}
    httpx.put(f"{engine}/simulator/faults", json={"faults": [slow]}).raise_for_status()
    files = ("--image", PACKAGED[CHARACTER], "--video", PACKAGED[MOTION], "--duration", "3")
    job_id = animatrix(system, *ANIMATE, *files).stdout.split()[0]
    killing = threading.Thread(target=kill_when_watched, args=(system,))
    killing.start()
    watched = animatrix(system, "watch", job_id)
    killing.join()
    wait_until_back(system)
    assert watched.exit_code == 0, watched.output
    assert "finished" in watched.output


def test_a_refused_file_is_named_with_its_remedy(system: System, tmp_path: Path) -> None:
    text = tmp_path / "hero.png"
    text.write_text("this is no picture")
    shown = animatrix(system, *ANIMATE, "--image", str(text), "--video", PACKAGED[MOTION])
    assert shown.exit_code == 1
    assert "hero.png: " in shown.stderr
    assert "Traceback" not in shown.output


def test_a_refused_job_names_every_field(system: System) -> None:
    shown = animatrix(system, *PERFORM, "--image", PACKAGED[CHARACTER], "--video", PACKAGED[MOTION])
    assert shown.exit_code == 1
    assert "audio_asset_id: The audio is missing." in shown.stderr
    assert "motion_video_asset_id: " in shown.stderr


def test_an_unknown_job_is_told_plainly(system: System) -> None:
    shown = animatrix(system, "watch", "01a1f90e-581a-7216-9b4d-99f1866c5e6e")
    assert shown.exit_code == 1
    assert "There is no such job." in shown.stderr


def test_a_second_up_on_the_same_data_is_refused(system: System) -> None:
    shown = animatrix(system, "up", "--port", "0")
    assert shown.exit_code == 1
    assert f"already runs on {system.var}" in shown.stderr.replace("\n", "")


def test_without_a_system_the_way_to_start_one_is_told(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["jobs", "--var", str(tmp_path)], env={"ANIMATRIX_URL": None})
    assert shown.exit_code == 1
    assert "make run" in shown.stderr


def test_a_dead_address_is_refused_at_once() -> None:
    began = time.monotonic()
    shown = CliRunner().invoke(app, ["jobs", "--url", "http://127.0.0.1:9"])
    assert shown.exit_code == 1
    assert "No answer from http://127.0.0.1:9" in shown.stderr
    assert time.monotonic() - began < 5


def test_pause_says_what_is_paused_and_resume_undoes_it(system: System) -> None:
    shown = animatrix(system, "pause", "--engine", "comfyui-0", "--reason", "new driver")
    assert shown.exit_code == 0, shown.output
    assert "Paused: engine comfyui-0, by " in shown.output
    assert "new driver" in shown.output
    assert animatrix(system, "pause", "--lane", "nowhere").exit_code == 1
    assert "Nothing is paused." in animatrix(system, "resume", "--engine", "comfyui-0").output


def test_keys_are_made_listed_and_revoked_and_the_trail_tells_it(system: System) -> None:
    asked = ("--owner", "ann", "--role", "viewer", "--name", "[b]tv")
    made = animatrix(system, "keys", "create", *asked)
    assert made.exit_code == 0, made.output
    key_id = made.stdout[:15]
    listed = animatrix(system, "keys", "list").output
    assert key_id in listed
    assert "[b]tv" in listed
    assert animatrix(system, "keys", "revoke", key_id).exit_code == 0
    assert animatrix(system, "keys", "revoke", "ax_none").exit_code != 0
    here = animatrix(system, "keys", "create", "--owner", "ben", "--here", "--var", str(system.var))
    assert here.stdout.startswith("ax_"), here.output
    trail = animatrix(system, "audit").output
    assert "POST /api/admin/keys" in trail
    assert key_id in trail
