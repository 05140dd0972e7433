"""A cancel in every state, from HTTP to the engine's own journal; nobody else is touched."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually


async def _job(http: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    return dict((await http.get(f"/api/jobs/{job_id}")).json())


async def _is(http: httpx.AsyncClient, status: str, job_id: str) -> bool:
    return bool((await _job(http, job_id))["status"] == status)


async def _assigned(http: httpx.AsyncClient, job_id: str) -> str | None:
    prompt_id = (await _job(http, job_id)).get("comfy_prompt_id")
    return None if prompt_id is None else str(prompt_id)


async def _cancel(http: httpx.AsyncClient, job_id: str) -> str:
    """Cancels, twice, and once more after the end; returns how it ended."""
    for _ in range(2):
        answer = await http.post(f"/api/jobs/{job_id}/cancel")
        assert answer.status_code in (200, 202), answer.text
    status = str((await ended(http, job_id))["status"])
    after = await http.post(f"/api/jobs/{job_id}/cancel")
    assert (after.status_code, after.json()["status"]) == (200, status)
    return status


def _runs(system: System, prompt_id: str) -> list[str]:
    """What the engine did with a prompt."""
    told = [line for line in system.journal() if line.get("prompt_id") == prompt_id]
    return [line.get("outcome", line["event"]) for line in told]


@pytest.mark.timeout(180)
async def test_a_cancel_in_every_state_ends_that_job_alone(
    system: System, http: httpx.AsyncClient, hero: Path, speech: Path
) -> None:
    body = {
        "prompt": "she speaks",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "audio_asset_id": await upload(http, "audio", speech),
        "quality_profile": "draft",
    }
    order = partial(submit, http, "audio-performance")
    speed = partial(httpx.put, f"{system.comfyui_url}/simulator/speed")

    speed(json={"step_s": 5.0}).raise_for_status()
    try:
        running = await order({**body, "seed": 1})
        await eventually(partial(_is, http, "executing", running))
        staged = await order({**body, "seed": 2})
        in_line = str(await eventually(partial(_assigned, http, staged)))
        await eventually(lambda: _runs(system, in_line) == ["accepted"])
        queued, bystander = await order({**body, "seed": 3}), await order({**body, "seed": 4})
        await eventually(partial(_is, http, "queued", queued))

        assert await _cancel(http, queued) == "cancelled"
        assert await _assigned(http, queued) is None
        assert await _cancel(http, staged) == "cancelled"
        assert await _is(http, "executing", running)
        assert await _cancel(http, running) == "cancelled"
    finally:
        speed(json={"step_s": 0.0}).raise_for_status()
    assert (await ended(http, bystander))["status"] == "completed"
    assert "started" not in _runs(system, in_line)
    ran = str(await _assigned(http, running))
    assert _runs(system, ran) == ["accepted", "started", "interrupted"]
    passed_by = str(await _assigned(http, bystander))
    assert _runs(system, passed_by) == ["accepted", "started", "success"]
    assert await _cancel(http, bystander) == "completed"

    collector = system.pid_of("collector")
    assert collector is not None
    os.kill(collector, signal.SIGSTOP)
    try:
        collecting = await order({**body, "seed": 5})
        await eventually(partial(_is, http, "collecting_outputs", collecting))
        answer = await http.post(f"/api/jobs/{collecting}/cancel")
        assert answer.status_code == 202, answer.text
    finally:
        os.kill(collector, signal.SIGCONT)
    assert await _cancel(http, collecting) == "cancelled"
    for job_id in (queued, staged, running, collecting):
        assert (await http.get(f"/api/jobs/{job_id}/outputs")).status_code == 404
        assert list((system.var / "media" / "jobs" / job_id).glob("outputs/*")) == []
