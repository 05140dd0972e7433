"""SIGTERM drains: every service is restarted under load, and nothing is lost or repeated."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually

JOBS = 12
PARTS = ("gateway", "ingest", "composer", "executor", "collector", "nats")


def _another_runs(system: System, name: str, pid: int) -> bool:
    return system.pid_of(name) not in (None, pid)


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("faults")
async def test_a_rolling_restart_under_load_loses_and_repeats_nothing(
    shaken: System, hero: Path, motion: Path
) -> None:
    before = len(shaken.journal())
    async with shaken.http() as http:
        body = {
            "prompt": "she runs on",
            "ground_truth_asset_id": await upload(http, "image", hero),
            "motion_video_asset_id": await upload(http, "video", motion),
            "animate_submode": "move",
            "quality_profile": "draft",
            "aspect_ratio": "1:1",
        }
        jobs = [await submit(http, "animate", {**body, "seed": n}) for n in range(JOBS)]
        for name in PARTS:
            pid = await eventually(partial(shaken.pid_of, name))
            os.kill(pid, signal.SIGTERM)
            await eventually(partial(_another_runs, shaken, name, pid), within_s=30)
            await asyncio.sleep(0.5)
        results = [await ended(http, job_id, within_s=150) for job_id in jobs]
    assert [r["status"] for r in results] == ["completed"] * JOBS
    told = shaken.journal()[before:]
    ran = Counter(line["prompt_id"] for line in told if line["event"] == "started")
    assert ran == Counter(r["comfy_prompt_id"] for r in results)
