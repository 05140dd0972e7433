"""Two of everything: two engines, and a second process of every service on the same data."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.parts import Engine, Part, kept, replica
from tests.support.ports import free_port
from tests.support.system import System, ended, running_system, sse, submit, upload
from tests.support.waiting import eventually

JOBS = 12
DOUBLED = ("ingest", "composer", "executor", "collector")


@dataclass
class Pair:
    """A system and its second gateway."""

    system: System
    second: Part
    second_url: str
    metrics: tuple[str, str]
    engines: tuple[Engine, ...]

    async def one_projects(self, *which: int) -> bool:
        """Whether one of these, and of the processes that live it alone, wrote the read model."""
        found = [n for n, url in enumerate(self.metrics) if await _projects(url)]
        return len(found) == 1 and found[0] in which


async def _projects(url: str) -> bool:
    async with httpx.AsyncClient(timeout=5) as http:
        try:
            text = (await http.get(url)).text
        except httpx.TransportError:
            return False
    return 'animatrix_projected_sequence{stream="JOBS"}' in text


@asynccontextmanager
async def pair_running(folder: Path) -> AsyncIterator[Pair]:
    engines = tuple(Engine(f"engine-{n}", folder / f"engine-{n}", 0.1) for n in range(2))
    env = {
        "ANIMATRIX_EXECUTOR_ENGINES": json.dumps([engine.settings() for engine in engines]),
        "ANIMATRIX_GATEWAY_SIZE_OVERRIDE": "64x64",
    }
    async with kept(*engines):
        for engine in engines:
            await eventually(engine.answers, within_s=60)
        with running_system(folder / "var", **env) as system:
            port, health = free_port(), free_port()
            own = {
                **env,
                "ANIMATRIX_GATEWAY_PORT": str(port),
                "ANIMATRIX_GATEWAY_HEALTH_PORT": str(health),
            }
            second = replica("gateway", 1, system, own)
            others = [replica(service, 1, system, env) for service in DOUBLED]
            state = json.loads((system.var / "run" / "state.json").read_text())
            first_health = state["children"]["gateway"]["ports"]["health"]
            async with kept(second, *others):
                await eventually(lambda: _answers(f"http://127.0.0.1:{health}"), within_s=60)
                metrics = tuple(f"http://127.0.0.1:{p}/metrics" for p in (first_health, health))
                url = f"http://127.0.0.1:{port}"
                yield Pair(system, second, url, (metrics[0], metrics[1]), engines)


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=2) as http:
        try:
            return (await http.get(f"{url}/readyz")).status_code == 200
        except httpx.TransportError:
            return False


async def _place(urls: tuple[str, str], hero: Path, motion: Path) -> list[str]:
    """Uploads through the first gateway, then places jobs through both in turn."""
    async with httpx.AsyncClient(base_url=urls[0], timeout=30) as http:
        body = {
            "prompt": "she runs",
            "ground_truth_asset_id": await upload(http, "image", hero),
            "motion_video_asset_id": await upload(http, "video", motion),
            "animate_submode": "move",
            "quality_profile": "draft",
        }
    jobs = []
    for number in range(JOBS):
        async with httpx.AsyncClient(base_url=urls[number % 2], timeout=30) as http:
            jobs.append(await submit(http, "animate", {**body, "seed": number}))
    return jobs


async def _hear(urls: tuple[str, str], heard: list[dict[str, Any]]) -> None:
    """Hears all jobs complete on the stream of the first gateway, and of the next when it dies."""
    seen = ""
    for url in urls:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            headers = {"Last-Event-ID": seen} if seen else {}
            try:
                async for event in sse(http, "/api/stream", **headers):
                    seen = event.get("id", seen)
                    if "id" in event and event["event"] != "ready":
                        heard.append({**json.loads(event["data"]), "id": int(event["id"])})
                    if sum(told["status"] == "completed" for told in heard) == JOBS:
                        return
            except httpx.TransportError:
                continue


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("chaos")
async def test_two_of_every_service_share_the_work_and_a_dead_gateway_is_no_loss(
    tmp_path: Path, hero: Path, motion: Path
) -> None:
    async with pair_running(tmp_path) as pair:
        urls = (pair.system.url, pair.second_url)
        heard: list[dict[str, Any]] = []
        listening = asyncio.create_task(_hear(urls, heard))
        jobs = await _place(urls, hero, motion)
        await eventually(lambda: any(told["status"] == "executing" for told in heard))
        await eventually(lambda: pair.one_projects(0))
        pair.system.kill("gateway")
        async with httpx.AsyncClient(base_url=urls[1], timeout=30) as http:
            results = [await ended(http, job_id, within_s=120) for job_id in jobs]
        assert [r["status"] for r in results] == ["completed"] * JOBS
        await asyncio.wait_for(listening, 30)
        # The other one, or the one that came back, whichever asked first for the lease.
        await eventually(lambda: pair.one_projects(0, 1), within_s=30)
        _assert_heard_once(heard, jobs)
        _assert_run_once(pair.engines, results)
        for url in urls:
            await _assert_listed(url, jobs)


def _assert_heard_once(heard: list[dict[str, Any]], jobs: list[str]) -> None:
    ids = [told["id"] for told in heard]
    assert ids == sorted(set(ids))
    by_job = {job: [told["status"] for told in heard if told["job_id"] == job] for job in jobs}
    states = ["accepted", "uploaded", "queued", "executing", "collecting_outputs", "completed"]
    assert by_job == dict.fromkeys(jobs, states)


def _assert_run_once(engines: tuple[Engine, ...], results: list[dict[str, Any]]) -> None:
    starts = [
        Counter(str(x["prompt_id"]) for x in engine.journal() if x["event"] == "started")
        for engine in engines
    ]
    assert starts[0] + starts[1] == Counter(r["comfy_prompt_id"] for r in results)
    assert all(starts), "one engine had nothing to do"


async def _assert_listed(url: str, jobs: list[str]) -> None:
    async def listed() -> bool:
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                found = (await http.get("/api/jobs?status=completed&limit=50")).json()["jobs"]
        except httpx.TransportError:
            # The one that was killed is still starting.
            return False
        return {job["job_id"] for job in found} == set(jobs)

    await eventually(listed, within_s=60)
