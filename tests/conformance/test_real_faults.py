"""What goes wrong in a real ComfyUI, and what an executor makes of it.

Nodes of the server at COMFYUI_URL fail, run out of memory, wait, hang or end the server, as ordered
in its state folder (see `rig`). The simulator is put through the same in tests/executor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.errors import ErrorCode
from contracts.events import StepAssigned, StepReady
from contracts.lifecycle import JobState
from runtime.engine_board import EngineBoard
from runtime.media_store_local import LocalMediaStore
from runtime.nats_process import NatsProcess
from tests.browser.wire import wire_to
from tests.conformance.graphs import S2V_MODEL, node, number
from tests.conformance.rig import RealComfy, skip_unless
from tests.executor.scene import ENGINE, Scene, open_buses, until_some
from tests.support.bus import BusFactory

pytestmark = [skip_unless(), pytest.mark.timeout(900), pytest.mark.xdist_group("real-engine")]
SOON_S = 300.0
"""For a server on a processor that others use too."""


@pytest.fixture
def comfy() -> Iterator[RealComfy]:
    """The server at rest, before and after."""
    server = RealComfy()
    if not server.answers():
        server.start()
    server.rest()
    yield server
    server.address = RealComfy().address
    server.rest()


@pytest.fixture
async def scene(
    provisioned: NatsProcess,
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    comfy: RealComfy,
) -> Scene:
    """Everything a job needs but the executor."""
    buses = await open_buses(bus_factory)
    return Scene(provisioned.url, buses, media_store, comfy, {"probe_interval_s": 2.0})


async def job(scene: Scene, **more: Any) -> str:
    """A small sampling that the server has the models for, never cached."""
    speech = node(
        "WanSoundImageToVideo",
        positive=["text", 0],
        negative=["text", 0],
        vae=["vae", 0],
        width=64,
        height=64,
        length=5,
        batch_size=1,
    )
    sampler = node(
        "KSampler",
        model=["model", 0],
        seed=number(),
        steps=2,
        cfg=1.0,
        sampler_name="euler",
        scheduler="simple",
        positive=["latent", 0],
        negative=["latent", 1],
        latent_image=["latent", 2],
        denoise=1.0,
    )
    model = node("UNETLoader", unet_name=S2V_MODEL, weight_dtype="default")
    change = {"model": model, "latent": speech, "sampler": sampler}
    return await scene.job(change=change, colour=f"{number():06x}", **more)


async def assigned(scene: Scene, job_id: str) -> list[str]:
    """The prompt ids of the job's attempts, in order."""
    tail = await scene.buses["gateway"].job(job_id)
    return [e.comfy_prompt_id for e in tail.events if isinstance(e, StepAssigned)]


def failed_as(state: JobState) -> tuple[ErrorCode, str]:
    """How a job failed, and what operators are told."""
    assert state.failed is not None
    return state.failed.error.code, state.failed.error.detail or ""


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        ("KSampler", "sampler"),
        ("VAEDecode", "decode"),
        ("UNETLoader", "model"),
        ("CLIPTextEncode", "text"),
        ("LoadImage", "picture"),
    ],
)
async def test_a_failing_node_fails_the_job_with_its_exception(
    scene: Scene, kind: str, at: str
) -> None:
    scene.comfy.order({"kind": "error", "class": kind, "times": 1})
    async with scene.executor():
        code, detail = failed_as(await scene.ended(await job(scene), within_s=SOON_S))
    assert code is ErrorCode.ENGINE_FAILED
    assert f"node {at} ({kind}): RuntimeError: rig fault in {kind}" in detail


@pytest.mark.parametrize("kind", ["KSampler", "VAEDecode"])
async def test_out_of_memory_once_is_tried_again_once(scene: Scene, kind: str) -> None:
    scene.comfy.order({"kind": "oom", "class": kind, "times": 1})
    async with scene.executor():
        job_id = await job(scene)
        state = await scene.executed(job_id, within_s=SOON_S)
    assert state.attempt == 2
    assert isinstance(scene.comfy, RealComfy)
    assert scene.comfy.outcomes(await assigned(scene, job_id)) == ["error", "success"]


async def test_out_of_memory_twice_fails_the_job_with_a_plain_sentence(scene: Scene) -> None:
    scene.comfy.order({"kind": "oom", "class": "KSampler", "times": 5})
    async with scene.executor():
        job_id = await job(scene)
        state = await scene.ended(job_id, within_s=SOON_S)
    code, detail = failed_as(state)
    assert code is ErrorCode.ENGINE_OUT_OF_MEMORY
    assert "CUDA out of memory" in detail
    assert state.failed is not None
    assert "memory" in state.failed.error.sentence
    assert "CUDA" not in state.failed.error.sentence
    assert len(await assigned(scene, job_id)) == 2


async def test_a_slow_node_is_interrupted_at_the_deadline(scene: Scene) -> None:
    scene.comfy.order({"kind": "slow", "class": "VAEDecode", "times": 1, "seconds": 600})
    async with scene.executor():
        job_id = await job(scene, deadline_s=40)
        code, _ = failed_as(await scene.ended(job_id, within_s=SOON_S))
    assert code is ErrorCode.GENERATION_TIMEOUT
    assert scene.comfy.waiting() == 0


async def test_a_hanging_node_is_noticed_by_its_silence_and_the_job_runs_again(
    scene: Scene,
) -> None:
    scene.comfy.order({"kind": "hang", "class": "KSampler", "times": 1, "seconds": 60})
    async with scene.executor(comfyui_stall_s=20.0, cancel_patience_s=3.0):
        job_id = await job(scene)
        board = EngineBoard(scene.buses["gateway"])

        async def shown_as_stuck() -> str | None:
            seen = (await board.all()).get(ENGINE)
            return seen.reason if seen and seen.health == "unreachable" else None

        reason = await until_some(shown_as_stuck, SOON_S)
        assert reason
        again = await scene.until(job_id, lambda state: state.attempt == 2, within_s=SOON_S)
        assert not again.ended
        state = await scene.executed(job_id, within_s=SOON_S)
    assert state.attempt == 2
    tail = await scene.buses["gateway"].job(job_id)
    assert [e.attempt for e in tail.events if isinstance(e, StepReady)] == [1, 2]


@skip_unless("COMFYUI_RIG_START")
async def test_a_server_that_died_and_came_back_empty_runs_the_job_as_attempt_two(
    scene: Scene,
) -> None:
    scene.comfy.order({"kind": "exit", "class": "VAEDecode", "times": 1})
    async with scene.executor():
        job_id = await job(scene)
        await scene.until(job_id, lambda state: state.started, within_s=SOON_S)
        assert isinstance(scene.comfy, RealComfy)
        await asyncio.to_thread(scene.comfy.wait, lambda: not scene.comfy.answers())  # type: ignore[attr-defined]
        await asyncio.to_thread(scene.comfy.start)
        state = await scene.executed(job_id, within_s=SOON_S)
    assert state.attempt == 2
    assert scene.comfy.outcomes(await assigned(scene, job_id)) == ["success"]


async def test_a_prompt_whose_connections_broke_is_taken_up_again_and_ran_once(
    scene: Scene,
) -> None:
    assert isinstance(scene.comfy, RealComfy)
    scene.comfy.order({"kind": "slow", "class": "VAEDecode", "times": 1, "seconds": 8})
    before = scene.comfy.ran()
    async with wire_to(scene.comfy.address) as wire:
        scene.comfy.address = wire.url
        async with scene.executor():
            job_id = await job(scene)
            await scene.until(job_id, lambda state: state.started, within_s=SOON_S)
            wire.cut()
            await asyncio.sleep(12)  # longer than what is left of the run: the end is not heard
            wire.mend()
            state = await scene.executed(job_id, within_s=SOON_S)
        scene.comfy.address = RealComfy().address
    assert state.attempt == 1
    assert scene.comfy.ran() - before == set(await assigned(scene, job_id))
