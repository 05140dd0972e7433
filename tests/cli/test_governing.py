"""The operator's commands against a running system: workflow versions, model files, exports; the
audit trail, replays, dead letters and the sweep."""

from __future__ import annotations

import asyncio
import json
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from typer.testing import CliRunner, Result

from cli.demo_assets import sha256_of
from cli.main import app
from cli.model_page import COMMAND, model_page
from cli.model_places import ModelPlaces
from contracts.base import sha256_hex
from planning.registry import WORKFLOWS_DIR, load_workflows
from tests.cli.test_commands import ANIMATE, PACKAGED, animatrix
from tests.support.comfyui import start_simulator
from tests.support.system import System, running_system
from tests.support.waiting import eventually

MOVE = "wan22_animate_move"
PAGE = WORKFLOWS_DIR.parent / "docs" / "models.md"
VAE = "wan_2.1_vae.safetensors"


pytestmark = pytest.mark.xdist_group("cli-governing")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    var = tmp_path_factory.mktemp("governing") / "var"
    with running_system(var, COMFYUI_SIMULATOR_SPEED="0") as running:
        yield running


def alone(*arguments: str) -> Result:
    """A command that needs no running system."""
    return CliRunner().invoke(app, arguments, env={"ANIMATRIX_URL": None, "COLUMNS": "300"})


def test_the_page_about_models_is_what_the_manifests_say() -> None:
    made = model_page(load_workflows().active, ModelPlaces.model_construct())
    assert PAGE.read_text() == made, f"run `{COMMAND} --out docs/models.md`"


def test_every_file_of_every_active_manifest_is_on_the_page() -> None:
    page = PAGE.read_text()
    for version in load_workflows().active:
        for model in version.manifest.required_models:
            assert f"`{model.file}`" in page
        for custom in version.manifest.custom_nodes:
            assert f"`{custom.package}`" in page


def test_released_versions_are_proved_and_a_changed_one_is_named(tmp_path: Path) -> None:
    shown = alone("workflows", "verify")
    assert shown.exit_code == 0
    assert f"ok animate/{MOVE}/1.1.0 " in shown.output

    (tmp_path / "workflows.lock.json").write_text('{"released": {"a/b/1.0.0": "00"}}')
    broken = alone("workflows", "verify", "--folder", str(tmp_path))
    assert broken.exit_code == 1
    assert "a/b/1.0.0" in broken.output


def test_versions_are_compared() -> None:
    shown = alone("workflows", "diff", MOVE, "1.0.0", "1.1.0")
    assert f"+++ {MOVE}/1.1.0/graph_next.json" in shown.output
    assert alone("workflows", "diff", MOVE, "1.0.0", "7.0.0").exit_code == 1


def test_an_engine_is_asked_which_models_and_nodes_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATRIX_MODELS_COMFYUI_ROOT", "/srv/comfy/")
    with start_simulator(tmp_path / "comfy") as simulator:
        (simulator.state / "models" / "vae" / VAE).unlink()
        absent = {"absent": ["Sam2Segmentation"]}
        httpx.put(f"{simulator.url}/simulator/nodes", json=absent).raise_for_status()
        shown = alone("models", "check", "--engine", simulator.url)
    assert shown.exit_code == 1
    lines = shown.output.splitlines()
    (vae,) = [line for line in lines if VAE in line]
    assert "MISSING" in vae
    assert f"/srv/comfy/models/vae/{VAE}" in vae
    assert any("Sam2Segmentation" in line and "MISSING" in line for line in lines)
    assert any("clip_vision_h" in line and line.startswith("ok") for line in lines)


def test_an_address_without_a_comfyui_is_said_plainly() -> None:
    shown = alone("models", "check", "--engine", "http://127.0.0.1:9")
    assert shown.exit_code == 1
    assert "does not answer as a ComfyUI" in shown.output


async def test_versions_are_activated_listed_and_rolled_back(system: System) -> None:
    def listed() -> bool:
        return "draft, standard" in animatrix(system, "workflows", "list").output

    await eventually(listed)
    made = animatrix(system, "workflows", "activate", MOVE, "1.0.0", "--note", "1.1.0 flickers")
    assert made.exit_code == 0, made.output
    assert f"local activated {MOVE} 1.0.0 (before: {MOVE} 1.1.0): 1.1.0 flickers" in made.output
    shown = animatrix(system, "workflows", "show", MOVE).output
    assert f"{MOVE} 1.0.0 active" in shown
    assert "1.1.0 flickers" in shown
    back = animatrix(system, "workflows", "rollback", MOVE)
    assert f"rolled back to {MOVE} 1.1.0" in back.output
    nothing = animatrix(system, "workflows", "rollback", MOVE)
    assert nothing.exit_code == 1
    assert "no earlier version" in nothing.output


def test_the_models_of_the_running_system_are_checked(system: System) -> None:
    shown = animatrix(system, "models", "check")
    assert "Engines examined: comfyui-0" in shown.output
    # The simulator has no bf16 files of the two Fun models.
    assert shown.exit_code == 1
    assert "fun_inpaint_high_noise_14B_bf16" in shown.output


def run_exported(folder: Path, comfy: str) -> str:
    """Follows the README of an export; the id of its prompt."""
    for path in (folder / "inputs").rglob("*.*"):
        with path.open("rb") as source:
            files = {"image": (path.name, source)}
            data = {"subfolder": path.parent.name, "overwrite": "true"}
            httpx.post(f"{comfy}/upload/image", files=files, data=data).raise_for_status()
    body = {"prompt": json.loads((folder / "graph.json").read_text())}
    answer = httpx.post(f"{comfy}/prompt", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["node_errors"] == {}
    return str(answer.json()["prompt_id"])


@pytest.fixture(scope="module")
def job_id(system: System) -> str:
    """A completed job."""
    files = ("--image", PACKAGED["character.png"], "--video", PACKAGED["motion.mp4"])
    sent = animatrix(system, *ANIMATE, *files, "--watch")
    assert sent.exit_code == 0, sent.output
    return next(line for line in sent.output.splitlines() if len(line) == 36)


def test_a_job_names_the_capabilities_of_its_engine_and_they_are_kept(
    system: System, job_id: str
) -> None:
    url = f"{system.url}/api/jobs/{job_id}/files/debug_metadata.json"
    (step,) = httpx.get(url).json()["steps"]
    snapshot = step["capability_snapshot"]
    stored = system.var / "media" / snapshot["key"]
    assert sha256_of(stored) == snapshot["sha256"]
    assert "WanAnimateToVideo" in json.loads(stored.read_text())


async def test_an_exported_job_runs_on_a_strange_comfyui(
    system: System, job_id: str, tmp_path: Path
) -> None:
    folder, packed = tmp_path / "export", tmp_path / "export.zip"
    shown = animatrix(system, "export", job_id, "--out", str(folder))
    assert shown.exit_code == 0, shown.output
    assert job_id in (folder / "README.md").read_text()
    assert animatrix(system, "export", job_id, "--out", str(folder)).exit_code == 1
    assert animatrix(system, "export", job_id, "--out", str(packed)).exit_code == 0
    with zipfile.ZipFile(packed) as archive:
        assert archive.read("export/graph.json") == (folder / "graph.json").read_bytes()

    with start_simulator(tmp_path / "comfy") as strange:
        prompt_id = run_exported(folder, strange.url)

        def history() -> Any:
            return httpx.get(f"{strange.url}/history/{prompt_id}").json().get(prompt_id)

        ended = await eventually(history, within_s=60)
        assert ended["status"]["status_str"] == "success", ended["status"]


def test_a_job_that_is_not_there_is_not_exported(system: System, tmp_path: Path) -> None:
    shown = animatrix(system, "export", "0" * 36, "--out", str(tmp_path / "none"))
    assert shown.exit_code == 1
    assert "There is no such job." in shown.output
    assert not (tmp_path / "none").exists()


def told_of(system: System, job_id: str) -> list[str]:
    lines = animatrix(system, "events", job_id, "--json").output.splitlines()
    return [json.loads(line)["event"] for line in lines]


def test_events_prints_the_whole_trail(system: System, job_id: str) -> None:
    told = told_of(system, job_id)
    assert (told[0], told[-1]) == ("job_submitted", "job_completed")
    shown = animatrix(system, "events", job_id)
    assert shown.exit_code == 0
    assert [name for name in told if name not in shown.output] == []
    assert "engine_id comfyui-0" in shown.output
    absent = animatrix(system, "events", "0" * 36)
    assert absent.exit_code == 1
    assert "There is no such job." in absent.output


def test_a_dry_replay_shows_and_publishes_nothing_and_a_replay_makes_a_new_job(
    system: System, job_id: str
) -> None:
    before = told_of(system, job_id)
    shown = animatrix(system, "replay", job_id, "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "would publish job_submitted: a new job from the same plan" in shown.output
    assert "<new job>" in shown.output
    assert told_of(system, job_id) == before
    refused = animatrix(system, "replay", job_id, "--from", "collection")
    assert refused.exit_code == 1
    assert animatrix(system, "replay").exit_code == 2

    done = animatrix(system, "replay", job_id)
    assert done.exit_code == 0, done.output
    again = done.output.split()[-1]
    assert again != job_id
    watched = animatrix(system, "watch", again)
    assert watched.exit_code == 0, watched.output
    assert told_of(system, job_id) == before


def test_the_read_model_is_rebuilt_bit_for_bit(system: System, job_id: str) -> None:
    done = animatrix(system, "replay", "--rebuild")
    assert done.exit_code == 0, done.output
    assert "identical, bit for bit" in done.output


async def test_dead_letters_are_listed_shown_and_discarded_once(system: System) -> None:
    assert "There are none." in animatrix(system, "dead-letters", "list").output
    state = json.loads((system.var / "run" / "state.json").read_text())
    bus = await nats.connect(
        f"nats://127.0.0.1:{state['children']['nats']['ports']['nats']}",
        user="provisioner",
        password=system.bus_passwords()["provisioner"],
    )
    await bus.jetstream().publish("animatrix.v1.jobs.stray.job_submitted", b"{not json")
    await bus.close()

    async def listed() -> str | None:
        output = (await asyncio.to_thread(animatrix, system, "dead-letters", "list")).output
        return output if "ingest-jobs" in output else None

    line = next(x for x in (await eventually(listed)).splitlines() if "ingest-jobs" in x)
    number = line.split()[0]
    letter = json.loads(animatrix(system, "dead-letters", "show", number).output)
    assert letter["payload"] == "{not json"
    discarded = animatrix(system, "dead-letters", "discard", number)
    assert discarded.output.strip() == f"{number}: discarded"
    for action in ("discard", "replay"):
        assert animatrix(system, "dead-letters", action, number).exit_code == 1
    assert "There are none." in animatrix(system, "dead-letters", "list").output
    kept = animatrix(system, "dead-letters", "list", "--state", "discarded").output
    assert "ingest-jobs" in kept
    assert animatrix(system, "dead-letters", "list", "--state", "none").exit_code == 1


def test_the_sweep_removes_what_a_dry_one_shows_and_spares_the_young(
    system: System, job_id: str
) -> None:
    old, young = (
        system.var / "media" / "assets" / sha256_hex(stray) / "original.png"
        for stray in (b"old", b"young")
    )
    for path in (old, young):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"nobody names this")
    long_ago = time.time() - 3 * 86400
    os.utime(old, (long_ago, long_ago))
    shown = animatrix(system, "gc", "--dry-run", "--grace-hours", "1")
    assert shown.exit_code == 0, shown.output
    assert "would remove 1 files, 17 bytes" in shown.output
    assert old.parent.name in shown.output
    assert old.exists()
    assert "removed 1 files, 17 bytes" in animatrix(system, "gc", "--grace-hours", "1").output
    assert (old.exists(), young.exists()) == (False, True)
    assert animatrix(system, "gc", "--grace-hours", "0").exit_code == 2
