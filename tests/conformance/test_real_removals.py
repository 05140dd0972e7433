"""Wrong jobs that only the live engine makes wrong: what it lacks is noticed, said, and refused.

A real gateway and a real executor in front of the server at COMFYUI_URL (see `rig`), from whose
folder model files are taken and which is started without its custom nodes. The simulator is put
through the same in tests/gateway/test_wrong_jobs.py.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from services.gateway import engines
from tests.conformance.rig import RealComfy, skip_unless
from tests.gateway.conftest import gateway, world
from tests.gateway.examined import assets as assets_of
from tests.gateway.examined import capabilities, examined, filled, missing, send
from tests.gateway.wrong_jobs import REMOVALS, WrongJob
from tests.support.gateway import World
from tests.support.waiting import eventually

__all__ = ["gateway", "world"]
pytestmark = [
    skip_unless("COMFYUI_RIG_START"),
    pytest.mark.timeout(1500),
    pytest.mark.xdist_group("real-engine"),
]
SOON_S = 240.0
TIMES = 8
"""How often each job is sent, for the time that a refusal takes."""

FILES: list[tuple[str, str, WrongJob]] = [
    *((gone.files[0], gone.says, gone.request) for gone in REMOVALS if gone.files),
    (
        "text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        WrongJob("start-end", {}, "mode_unavailable"),
    ),
    (
        "diffusion_models/wan2.2_animate_14B_bf16.safetensors",
        "wan2.2_animate_14B_bf16.safetensors",
        WrongJob("animate", {"quality_profile": "high"}, "profile_unavailable"),
    ),
    (
        "diffusion_models/wan2.2_s2v_14B_bf16.safetensors",
        "wan2.2_s2v_14B_bf16.safetensors",
        WrongJob("audio-performance", {"quality_profile": "high"}, "profile_unavailable"),
    ),
]
NODES = [
    WrongJob("animate", {}, "mode_unavailable"),
    WrongJob("animate", {"animate_submode": "mix"}, "mode_unavailable"),
    WrongJob("pose-control", {}, "mode_unavailable"),
]
"""Jobs whose preprocessors come with custom nodes."""


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    """What is wrong is said at once."""
    return {"wait_for_asset_s": 0}


class Refusals:
    """Sends wrong jobs and keeps what was said and how long it took, in milliseconds."""

    def __init__(self, world: World, assets: dict[str, str]) -> None:
        """Nothing is sent yet."""
        self._world, self._assets = world, assets
        self.took_ms: list[float] = []
        self.refused = 0

    async def possible(self, job: WrongJob) -> bool:
        """Whether a preview says that the job could be submitted."""
        asked: dict[str, Any] = {"mode": job.mode.replace("-", "_"), **job.body}
        asked = {name: filled(value, self._assets) for name, value in asked.items()}
        answer = await self._world.http.post("/api/jobs/preview", json=asked)
        return bool(answer.json()["ok"])

    async def until(self, job: WrongJob, *, possible: bool) -> None:
        """Waits until the job can, or cannot, be submitted."""

        async def holds() -> bool:
            return await self.possible(job) is possible

        await eventually(holds, within_s=SOON_S, every_s=0.5)

    async def refuse(self, job: WrongJob, named: str) -> None:
        """The job, possible until now, becomes impossible and is refused, naming what is gone."""

        await self.until(job, possible=False)
        for _ in range(TIMES):
            began = time.perf_counter()
            answer = await send(self._world, job.mode, job.body, self._assets)
            self.took_ms.append((time.perf_counter() - began) * 1000)
            said = answer.json()
            assert (answer.status_code, said["code"]) == (422, job.code), (job, said)
            assert said["remedy"]
        self.refused += 1
        assert named in " ".join(missing(await capabilities(self._world)))


async def test_jobs_are_refused_for_what_was_taken_from_the_live_engine(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Any,
) -> None:
    monkeypatch.setattr(engines, "FRESH_S", 0.0)
    comfy = RealComfy()
    if not comfy.answers():
        await asyncio.to_thread(comfy.start)
    before = comfy.ran()
    async with examined(world, tmp_path, comfy.url, every_s=1.0, within_s=SOON_S):
        refusals = Refusals(world, await assets_of(world))
        for file, says, job in FILES:
            await refusals.until(job, possible=True)
            with comfy.without(file):
                await refusals.refuse(job, says)
        assert comfy.ran() == before
        await asyncio.to_thread(comfy.restart, "--disable-all-custom-nodes")
        try:
            for job in NODES:
                await refusals.refuse(job, "DWPreprocessor")
            assert comfy.ran() == set()
        finally:
            await asyncio.to_thread(comfy.restart)
        assert (await world.buses["gateway"].stream_state("JOBS")).messages == 0
    assert refusals.refused == len(FILES) + len(NODES) >= 10
    took = sorted(refusals.took_ms)
    record_property("refusals", len(took))
    record_property("median_ms", round(statistics.median(took), 1))
    record_property("p95_ms", round(took[int(len(took) * 0.95)], 1))
    record_property("longest_ms", round(took[-1], 1))
