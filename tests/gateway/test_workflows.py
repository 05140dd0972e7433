"""Operators activate workflow versions and roll them back; jobs keep the one they began with."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from contracts.engines import EngineSnapshot, Shortfall
from runtime.engine_board import EngineBoard
from runtime.stamp import now
from services.gateway import engines
from services.gateway.activating import lost_by
from services.gateway.adapters.db.activations import Activation, Activations
from services.gateway.adapters.db.engine import open_database
from services.gateway.settings import Settings
from tests.gateway.test_submitting import animate_body
from tests.planning.examples import WORKFLOWS, engine
from tests.support.gateway import StartGateway, World
from tests.support.waiting import eventually

MOVE = "wan22_animate_move"
EFFECTIVE_WITHIN_S = 5.0


@pytest.fixture(autouse=True)
def _fresh_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "FRESH_S", 0.0)


async def put_engine(world: World, **changes: Any) -> None:
    snapshot: EngineSnapshot = engine(seen_at=now(), **changes)
    await EngineBoard(world.buses["executor"]).put(snapshot)


async def activate(world: World, version: str, **more: Any) -> Any:
    body = {"workflow_name": MOVE, "workflow_version": version, **more}
    return await world.http.post("/api/admin/workflows/activate", json=body)


async def rollback(world: World) -> Any:
    return await world.http.post("/api/admin/workflows/rollback", json={"workflow_name": MOVE})


async def template_of_a_new_job(world: World) -> str:
    answer = await world.http.post("/api/jobs/animate", json=await animate_body(world))
    assert answer.status_code == 202, answer.text
    return str((await world.job(answer.json()["job_id"]))["workflow_template"])


async def active_version(world: World) -> dict[str, Any]:
    listed = (await world.http.get("/api/admin/workflows")).json()
    found = [v for v in listed if v["workflow_name"] == MOVE and v["active"]]
    assert len(found) == 1
    return dict(found[0])


async def test_an_activated_version_makes_new_jobs_and_old_jobs_keep_theirs(world: World) -> None:
    await put_engine(world)
    answer = await world.http.post("/api/jobs/animate", json=await animate_body(world))
    before = answer.json()["job_id"]
    made = (await activate(world, "1.0.0", note="the new one flickers")).json()
    assert (made["action"], made["workflow_version"], made["previous_version"]) == (
        "activate",
        "1.0.0",
        "1.1.0",
    )
    assert (made["by"], made["forced"], made["missing"]) == ("local", False, [])
    assert await template_of_a_new_job(world) == f"{MOVE}@1.0.0"
    assert (await world.job(before))["workflow_template"] == f"{MOVE}@1.1.0"
    listed = await active_version(world)
    assert (listed["workflow_version"], listed["activated_by"]) == ("1.0.0", "local")
    assert listed["activated_at"] == made["at"]


async def test_rolling_back_undoes_one_activation_after_the_other(world: World) -> None:
    await put_engine(world)
    for version in ("1.0.0", "1.1.0", "1.0.0"):
        assert (await activate(world, version)).status_code == 200
    went = [(await rollback(world)).json()["workflow_version"] for _ in range(3)]
    assert went == ["1.1.0", "1.0.0", "1.1.0"]
    answer = await rollback(world)
    assert (answer.status_code, answer.json()["code"]) == (409, "rollback_impossible")
    history = (await world.http.get("/api/admin/workflows/activations")).json()
    assert [one["action"] for one in history] == ["rollback"] * 3 + ["activate"] * 3
    assert [one["revision"] for one in history] == [6, 5, 4, 3, 2, 1]
    assert await template_of_a_new_job(world) == f"{MOVE}@1.1.0"


async def test_a_version_that_no_engine_runs_is_refused_unless_it_is_forced(world: World) -> None:
    licence = Shortfall(kind="missing_input", node_class="SaveVideo", input="licence", detail="new")
    await put_engine(world, shortfalls=(licence,))
    answer = await activate(world, "1.0.0")
    assert (answer.status_code, answer.json()["code"]) == (409, "workflow_unfit")
    assert "SaveVideo" in answer.json()["detail"]
    assert (await active_version(world))["workflow_version"] == "1.1.0"

    forced = (await activate(world, "1.0.0", force=True)).json()
    assert forced["forced"]
    assert "SaveVideo" in forced["missing"][0]
    assert (await active_version(world))["workflow_version"] == "1.0.0"
    # Leaving what cannot run is never refused.
    assert (await rollback(world)).json()["workflow_version"] == "1.1.0"


async def test_a_version_without_any_examined_engine_is_not_activated(world: World) -> None:
    answer = await activate(world, "1.0.0")
    assert (answer.status_code, answer.json()["code"]) == (409, "workflow_unfit")
    assert "no engine has been examined" in answer.json()["detail"]


def test_a_version_that_loses_a_profile_that_runs_here_fails_the_check() -> None:
    whole = WORKFLOWS.for_mode("animate", "move")
    profiles = {"draft": whole.manifest.profiles["draft"]}
    less = replace(whole, manifest=whole.manifest.model_copy(update={"profiles": profiles}))
    bf16 = engine(without_files=("Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors",))
    assert lost_by(less, whole, [engine()]) == (
        "the profile standard would be lost",
        "the profile high would be lost",
    )
    assert lost_by(whole, less, [engine()]) == ()
    assert "Animate-14B_fp8" in lost_by(less, whole, [bf16])[0]


async def test_unknown_workflows_and_versions_are_not_found(world: World) -> None:
    assert (await activate(world, "9.9.9")).status_code == 404
    answer = await world.http.post(
        "/api/admin/workflows/rollback", json={"workflow_name": "unheard_of"}
    )
    assert answer.status_code == 404
    asked = f"/api/admin/workflows/{MOVE}/diff?old=1.0.0&new=2.0.0"
    assert (await world.http.get(asked)).status_code == 404


async def test_operators_racing_for_one_mode_each_leave_their_line(world: World) -> None:
    await put_engine(world)
    answers = await asyncio.gather(*(activate(world, v) for v in ("1.0.0", "1.1.0") * 3))
    assert {a.status_code for a in answers} <= {200, 503}
    kept = (await world.http.get("/api/admin/workflows/activations")).json()
    assert len(kept) == sum(a.status_code == 200 for a in answers)
    assert [one["revision"] for one in kept] == list(range(len(kept), 0, -1))
    assert (await active_version(world))["workflow_version"] == kept[0]["workflow_version"]


async def test_a_rollback_reaches_every_replica_within_seconds(
    world: World, gateway: StartGateway
) -> None:
    await put_engine(world)
    async with gateway() as second:
        assert (await active_version(second))["workflow_version"] == "1.1.0"
        for change, version in ((activate(world, "1.0.0"), "1.0.0"), (rollback(world), "1.1.0")):
            assert (await change).status_code == 200
            began_s = time.monotonic()

            async def there(version: str = version) -> bool:
                return bool((await active_version(second))["workflow_version"] == version)

            await eventually(there)
            assert time.monotonic() - began_s < EFFECTIVE_WITHIN_S
            assert await template_of_a_new_job(second) == f"{MOVE}@{version}"


async def test_an_active_version_that_this_build_lacks_falls_back_to_the_newest(
    world: World,
) -> None:
    await put_engine(world)
    database = open_database(Settings().url_of_database(world.state_dir))
    foreign = Activation(
        mode="animate",
        submode="move",
        revision=1,
        action="activate",
        workflow_name=MOVE,
        workflow_version="9.0.0",
        sha256="ab" * 32,
        previous_name=MOVE,
        previous_version="1.1.0",
        made_by="a newer build",
        made_at=now(),
        forced=False,
        missing=(),
        note=None,
    )
    assert await Activations(database).add(foreign)
    assert not await Activations(database).add(foreign)
    await database.close()

    async def seen() -> bool:
        history = (await world.http.get("/api/admin/workflows/activations")).json()
        return bool(history)

    await eventually(seen)
    assert await template_of_a_new_job(world) == f"{MOVE}@1.1.0"


async def test_every_version_says_for_each_profile_what_each_engine_lacks(world: World) -> None:
    await put_engine(world, without_files=("wan2.2_animate_14B_bf16.safetensors",))
    fit = {p["profile"]: p for p in (await active_version(world))["profiles"]}
    assert (fit["draft"]["runs"], fit["high"]["runs"]) == (True, False)
    assert fit["draft"]["engines"] == [{"engine_id": "comfyui-0", "health": "ready", "missing": []}]
    assert fit["high"]["engines"][0]["missing"] == [
        "the file wan2.2_animate_14B_bf16.safetensors in models/diffusion_models"
    ]


async def test_models_are_listed_with_the_engines_that_lack_them(world: World) -> None:
    vae = "wan_2.1_vae.safetensors"
    await put_engine(world, without_files=(vae,), without_classes=("DWPreprocessor",))
    found = (await world.http.get("/api/admin/models")).json()
    lacking = {m["model"]["file"]: m["lacking"] for m in found["models"]}
    assert lacking[vae] == ["comfyui-0"]
    assert lacking["clip_vision_h.safetensors"] == []
    absent = {p["package"]["package"]: p["absent"] for p in found["packages"]}
    assert absent["comfyui_controlnet_aux"] == {"comfyui-0": ["DWPreprocessor"]}
    assert absent["ComfyUI-KJNodes"] == {}


async def test_versions_are_compared_line_by_line(world: World) -> None:
    lines = (await world.http.get(f"/api/admin/workflows/{MOVE}/diff?old=1.0.0&new=1.1.0")).json()[
        "lines"
    ]
    assert f"+++ {MOVE}/1.1.0/graph_next.json" in lines
    assert any(line.startswith('+  "workflow_version": "1.1.0"') for line in lines)
