"""What the measurements run on: one simulated engine, our system in front of it, and test media.

Owns starting and ending. Must not measure anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.comfyui import Simulator, start_simulator
from tests.support.media import Size, counter_video, photo
from tests.support.system import System, running_system, sse, submit, upload

SIZE = "96x160"
ENDS = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Stage:
    """A running engine and system, and the assets of a job."""

    engine: Simulator
    system: System
    folder: Path


@contextmanager
def staged(folder: Path, *, size: str | None = SIZE, **env: str) -> Iterator[Stage]:
    """The engine as a process of its own, and `animatrix up` told of it like of a real one."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"ANIMATRIX_GATEWAY_SIZE_OVERRIDE": size} if size else {}
    with (
        start_simulator(folder / "engine") as engine,
        running_system(folder / "var", COMFYUI_URL=engine.url, **sizes, **env) as system,
    ):
        yield Stage(engine, system, folder)


async def prepared_body(
    http: httpx.AsyncClient, folder: Path, *, frames: int = 16, **more: Any
) -> dict[str, Any]:
    """The body of an animate job whose media were prepared once already."""
    hero = photo(folder / "hero.png", size=Size(320, 480), format="PNG")
    motion = counter_video(folder / "motion.mp4", frames=frames, sound=False)
    body = {
        "prompt": "She waves",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", motion),
        "quality_profile": "draft",
        "seed": 0,
        **more,
    }
    await finished(http, await submit(http, "animate", body))
    return body


async def finished(http: httpx.AsyncClient, job_id: str) -> dict[str, float]:
    """Follows a job on its own stream; Unix seconds at which each event was seen here."""
    seen: dict[str, float] = {}
    async for event in sse(http, f"/api/jobs/{job_id}/stream"):
        seen.setdefault(event["event"], time.time())
        if event["event"] in ENDS:
            if event["event"] != "completed":
                raise RuntimeError(f"job {job_id} {event['event']}: {event['data']}")
            return seen
    raise RuntimeError(f"the stream of {job_id} ended early")


async def engine_speed(stage: Stage, step_s: float) -> None:
    """How long a sampling step waits from now on, in seconds."""
    async with client_of(stage.engine.url) as engine:
        await engine.put("/simulator/speed", json={"step_s": step_s})


async def prompt_ids(http: httpx.AsyncClient, job_id: str) -> str:
    """The prompt id under which the engine ran a job of one step."""
    answer = (await http.get(f"/api/jobs/{job_id}")).json()
    return str(answer["comfy_prompt_id"])


def journal(engine: Simulator) -> dict[str, dict[str, Any]]:
    """By prompt id, what the engine itself wrote when a prompt had ended."""
    ended: dict[str, dict[str, Any]] = {}
    for line in (engine.state / "journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "finished":
            ended[entry["prompt_id"]] = entry
    return ended


def bound_graph(system: System) -> dict[str, Any]:
    """The graph of the newest job as it was sent to the engine."""
    graphs = sorted(
        system.var.rglob("jobs/*/steps/0/attempt-1/graph.json"), key=lambda p: p.stat().st_mtime
    )
    graph: dict[str, Any] = json.loads(graphs[-1].read_text())
    return graph


def with_seed(graph: Mapping[str, Any], seed: int, prefix: str) -> dict[str, Any]:
    """The same graph with another seed and output folder, so that nothing is cached."""
    changed: dict[str, Any] = json.loads(json.dumps(graph))
    for node in changed.values():
        inputs = node["inputs"]
        for name in ("seed", "noise_seed"):
            if isinstance(inputs.get(name), int):
                inputs[name] = seed
        if "filename_prefix" in inputs:
            inputs["filename_prefix"] = f"{prefix}/{inputs['filename_prefix'].rpartition('/')[2]}"
    return changed


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client with as many connections as are needed."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False) as http:
        yield http
