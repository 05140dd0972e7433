"""A doomed job is refused at submit: no event is published, and no engine hears of it.

A real gateway, a real executor and a live simulated engine, from which files and nodes are taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.gateway import engines
from tests.gateway.examined import assets as assets_of
from tests.gateway.examined import capabilities, examined, filled, missing, send
from tests.gateway.wrong_jobs import GOOD, REMOVALS, WRONG, Removal
from tests.support.comfyui import Simulator, start_simulator
from tests.support.gateway import World
from tests.support.waiting import eventually


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    """What is wrong is said at once."""
    return {"wait_for_asset_s": 0}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "FRESH_S", 0.0)


@asynccontextmanager
async def _examined(world: World, folder: Path, *, every_s: float) -> AsyncIterator[Simulator]:
    """A live simulator that an executor examines again and again, and has examined once."""
    with start_simulator(folder / "comfy") as simulator:
        async with examined(world, folder, simulator.url, every_s=every_s):
            yield simulator


async def _take_away(simulator: Simulator, removal: Removal) -> None:
    for name in removal.files:
        (simulator.state / "models" / name).unlink()
    async with httpx.AsyncClient(base_url=simulator.url) as http:
        changed: dict[str, Any] = {}
        for place, part in removal.changed.items():
            node_class, _, name = place.partition(".")
            raw = (await http.get(f"/simulator/nodes/{node_class}")).json()
            group = raw["optional"] if name in raw.get("optional", {}) else raw["required"]
            if part is None:
                del group[name]
            else:
                group[name] = {**group.get(name, {}), **part}
            changed[node_class] = raw
        order = {"absent": list(removal.absent), "changed": changed}
        (await http.put("/simulator/nodes", json=order)).raise_for_status()


async def _put_back(simulator: Simulator, removal: Removal) -> None:
    for name in removal.files:
        (simulator.state / "models" / name).touch()
    async with httpx.AsyncClient(base_url=simulator.url) as http:
        (await http.put("/simulator/nodes", json={})).raise_for_status()


def _prompts_of(simulator: Simulator) -> list[Any]:
    answer = httpx.get(f"{simulator.url}/simulator/journal", params={"event": "accepted"})
    entries: list[Any] = answer.json()["entries"]
    return entries


def test_the_list_holds_what_is_promised() -> None:
    codes = {job.code for job in WRONG} | {removal.request.code for removal in REMOVALS}
    assert len(WRONG) + len(REMOVALS) >= 60
    assert len(REMOVALS) >= 10
    assert len(codes) >= 15
    keys = [(job.mode, repr(job.changes)) for job in WRONG]
    assert len(set(keys)) == len(keys)


async def test_every_wrong_job_is_refused_at_once_and_never_reaches_an_engine(
    world: World, tmp_path: Path
) -> None:
    async with _examined(world, tmp_path, every_s=5.0) as simulator:
        assets = await assets_of(world)
        differing: list[Any] = []
        for job in WRONG:
            answer = await send(world, job.mode, job.body, assets)
            said = answer.json()
            if answer.status_code not in (409, 422) or said["code"] != job.code:
                differing.append((job, answer.status_code, said))
            elif not said["remedy"] or not said["detail"]:
                differing.append((job, "says nothing", said))
        assert not differing
        assert (await world.buses["gateway"].stream_state("JOBS")).messages == 0
        assert _prompts_of(simulator) == []
        # The same requests without their faults are good, so each was refused for its fault.
        for mode, body in GOOD.items():
            assert (await send(world, mode, body, assets)).status_code == 202


async def test_jobs_are_refused_for_what_was_taken_from_a_live_engine(
    world: World, tmp_path: Path
) -> None:
    async with _examined(world, tmp_path, every_s=0.2) as simulator:
        assets = await assets_of(world)
        for removal in REMOVALS:
            job = removal.request
            preview = {"mode": job.mode.replace("-", "_"), **job.body}
            preview = {name: filled(value, assets) for name, value in preview.items()}

            async def good(preview: dict[str, Any] = preview) -> bool:
                return bool((await world.http.post("/api/jobs/preview", json=preview)).json()["ok"])

            await eventually(good)
            await _take_away(simulator, removal)

            async def noticed(preview: dict[str, Any] = preview) -> bool:
                said = (await world.http.post("/api/jobs/preview", json=preview)).json()
                return not said["ok"]

            await eventually(noticed)
            answer = await send(world, job.mode, job.body, assets)
            assert (answer.status_code, answer.json()["code"]) == (422, job.code), removal
            told = " ".join(missing(await capabilities(world)))
            assert removal.says in told, removal
            await _put_back(simulator, removal)
        assert (await world.buses["gateway"].stream_state("JOBS")).messages == 0
        assert _prompts_of(simulator) == []
