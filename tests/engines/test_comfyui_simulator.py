"""The client against a whole ComfyUI protocol: the simulator in its own process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engines.comfyui import (
    Absent,
    Backoff,
    ByteRange,
    CapabilitySnapshot,
    Catalogue,
    ComfyClient,
    ComfySocket,
    EngineAddress,
    Failed,
    FileRef,
    Heard,
    Interrupted,
    Lost,
    Outcome,
    OutputMissing,
    Pace,
    Pending,
    ProgressState,
    PromptRefused,
    Running,
    Started,
    SubmitUncertain,
    Succeeded,
    Timeouts,
    Unreachable,
    Update,
    capture,
    follow,
    missing_for,
    wait_for_end,
)
from tests.engines.simulator import Simulator, clip, picture, simulator
from tests.support.waiting import eventually

PACE = Pace(first_s=0.05, most_s=0.3, lost_looks=3, lost_after_s=0.5, away=Backoff(0.05, 0.3))


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Simulator]:
    with simulator(tmp_path / "sim") as running:
        yield running


@pytest.fixture
async def comfy(sim: Simulator) -> AsyncIterator[ComfyClient]:
    async with ComfyClient(EngineAddress(sim.url), backoff=Backoff(0.02, 0.1)) as opened:
        yield opened


async def submit(client: ComfyClient, graph: dict[str, Any], client_id: str = "tests") -> str:
    prompt_id = str(uuid.uuid4())
    await client.submit(graph, prompt_id=prompt_id, client_id=client_id)
    return prompt_id


async def runs(client: ComfyClient, prompt_id: str) -> None:
    async with asyncio.timeout(15):
        while await client.find(prompt_id) != Running():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_a_clip_is_made_followed_and_fetched(comfy: ComfyClient) -> None:
    prompt_id = str(uuid.uuid4())
    seen: list[Update | Outcome] = []
    async with ComfySocket(comfy.address, "tests") as socket:
        await eventually(lambda: socket.connected)
        with socket.listen(prompt_id) as hint:
            await comfy.submit(clip(), prompt_id=prompt_id, client_id="tests")
            async with aclosing(follow(comfy, prompt_id, hint=hint, pace=PACE)) as updates:
                seen = [update async for update in updates]
    assert any(isinstance(u, Heard) and isinstance(u.message, ProgressState) for u in seen)
    done = seen[-1]
    assert isinstance(done, Succeeded)
    (file,) = done.outputs
    assert (file.node, file.key, file.filename) == ("3", "images", "clip_00001_.mp4")
    got = bytearray()

    async def sink(chunk: bytes) -> None:
        got.extend(chunk)

    downloaded = await comfy.download_to(file, sink)
    assert downloaded.size_bytes == len(got)
    assert got[4:8] == b"ftyp"
    assert downloaded.content_type == "video/mp4"
    async with comfy.view(file, ByteRange(4, 7)) as view:
        assert b"".join([chunk async for chunk in view.chunks()]) == b"ftyp"
    with pytest.raises(OutputMissing):
        await comfy.download_to(FileRef("absent.mp4"), sink)


async def test_an_uploaded_picture_is_used_by_its_answered_name(
    comfy: ComfyClient, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (40, 24), "red").save(file)
    kept = await comfy.upload(file, name="grün.png", subfolder="animatrix")
    assert kept.reference == "animatrix/grün.png"
    again = await comfy.upload(file, name="grün.png", subfolder="animatrix")
    assert again == kept
    Image.new("RGB", (40, 24), "blue").save(file)
    other = await comfy.upload(file, name="grün.png", subfolder="animatrix")
    assert other.reference == "animatrix/grün (1).png"
    done = await wait_for_end(comfy, await submit(comfy, picture(other.reference)), pace=PACE)
    assert isinstance(done, Succeeded)


async def test_a_partly_valid_graph_is_refused_and_leaves_nothing(
    sim: Simulator, comfy: ComfyClient
) -> None:
    graph = clip() | {
        "9": {"class_type": "LoadImage", "inputs": {"image": "absent.png"}},
        "10": {
            "class_type": "SaveImage",
            "inputs": {"images": ["9", 0], "filename_prefix": "x"},
        },
    }
    sim.order({"kind": "slow", "class": "EmptyImage", "seconds": 0.3})
    prompt_id = str(uuid.uuid4())
    with pytest.raises(PromptRefused) as refused:
        await comfy.submit(graph, prompt_id=prompt_id, client_id=None)
    assert refused.value.kind == "partly_invalid"
    assert refused.value.withdrawn
    assert not (await comfy.queue()).holds(prompt_id)
    assert not isinstance(await wait_for_end(comfy, prompt_id, pace=PACE), Succeeded)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"3": {"class_type": "NoSuchNode", "inputs": {}}}, "invalid_prompt"),
        ({"1": {"class_type": "EmptyImage", "inputs": {}}}, "prompt_outputs_failed_validation"),
        ({"3": {"class_type": "PreviewImage", "inputs": {}}}, "prompt_outputs_failed_validation"),
    ],
)
async def test_invalid_graphs_are_refused_with_their_kind(
    comfy: ComfyClient, change: dict[str, Any], kind: str
) -> None:
    with pytest.raises(PromptRefused) as refused:
        await submit(comfy, clip() | change)
    assert refused.value.kind == kind


async def test_what_waits_can_be_deleted_and_what_runs_interrupted(
    sim: Simulator, comfy: ComfyClient
) -> None:
    sim.order({"kind": "slow", "class": "EmptyImage", "seconds": 1.0, "times": 1})
    first = await submit(comfy, clip("one"))
    await runs(comfy, first)
    second = await submit(comfy, clip("two"))
    assert await comfy.find(second) == Pending(1)
    assert await comfy.withdraw(second)
    assert await comfy.find(second) == Absent()
    assert await comfy.find(first) == Running()
    await comfy.interrupt(first)
    assert isinstance(await wait_for_end(comfy, first, pace=PACE), Interrupted)


@pytest.mark.parametrize(("fault", "oom"), [("error", False), ("oom", True)])
async def test_failures_name_the_node(
    sim: Simulator, comfy: ComfyClient, fault: str, oom: bool
) -> None:
    sim.order({"kind": fault, "class": "CreateVideo", "times": 1})
    failed = await wait_for_end(comfy, await submit(comfy, clip()), pace=PACE)
    assert isinstance(failed, Failed)
    assert (failed.node, failed.node_type, failed.oom) == ("2", "CreateVideo", oom)


@pytest.mark.parametrize("fault", ["accept_with_500", "accept_without_answer"])
async def test_an_uncertain_submit_that_was_accepted_is_found(sim: Simulator, fault: str) -> None:
    sim.order({"kind": fault, "times": 1})
    prompt_id = str(uuid.uuid4())
    address = EngineAddress(sim.url, timeouts=Timeouts(read_s=1.0))
    async with ComfyClient(address) as client:
        with pytest.raises(SubmitUncertain):
            await client.submit(clip(), prompt_id=prompt_id, client_id=None)
        assert isinstance(await wait_for_end(client, prompt_id, pace=PACE), Succeeded)


@pytest.mark.parametrize(
    "fault", ["refuse_websocket", "drop_websocket", "deaf_websocket", "late_history"]
)
async def test_a_prompt_ends_whatever_happens_to_the_socket(
    sim: Simulator, comfy: ComfyClient, fault: str
) -> None:
    sim.order({"kind": fault, "seconds": 0.4})
    prompt_id = str(uuid.uuid4())
    async with ComfySocket(comfy.address, "tests", backoff=Backoff(0.05, 0.2)) as socket:
        with socket.listen(prompt_id) as hint:
            await comfy.submit(clip(), prompt_id=prompt_id, client_id="tests")
            ended = await wait_for_end(comfy, prompt_id, hint=hint, pace=PACE, deadline_s=20)
    assert isinstance(ended, Succeeded)


async def test_an_engine_killed_while_running_has_lost_the_prompt(tmp_path: Path) -> None:
    seen: list[Update | Outcome] = []
    with simulator(tmp_path / "sim") as first:
        first.order({"kind": "hang", "class": "EmptyImage"})
        port = int(first.url.rpartition(":")[2])
        async with ComfyClient(EngineAddress(first.url), tries=1) as client:
            prompt_id = await submit(client, clip())
            await runs(client, prompt_id)
            async with aclosing(follow(client, prompt_id, pace=PACE)) as updates:
                seen.append(await anext(updates))
                first.process.kill()
                seen.append(await anext(updates))
                with simulator(tmp_path / "sim", port=port):
                    seen += [update async for update in updates]
    assert isinstance(seen[0], Started)
    assert isinstance(seen[1], Unreachable)
    assert isinstance(seen[-1], Lost)


async def test_the_same_graph_again_repeats_the_old_file(comfy: ComfyClient) -> None:
    first = await wait_for_end(comfy, await submit(comfy, clip()), pace=PACE)
    again = await wait_for_end(comfy, await submit(comfy, clip()), pace=PACE)
    fresh = await wait_for_end(comfy, await submit(comfy, clip("other")), pace=PACE)
    assert first == again
    assert first != fresh


async def test_many_prompts_are_followed_over_one_socket(comfy: ComfyClient) -> None:
    async with ComfySocket(comfy.address, "tests") as socket:

        async def one(n: int) -> Outcome:
            prompt_id = str(uuid.uuid4())
            with socket.listen(prompt_id) as hint:
                await comfy.submit(clip(f"c{n}"), prompt_id=prompt_id, client_id="tests")
                return await wait_for_end(comfy, prompt_id, hint=hint, pace=PACE)

        outcomes = await asyncio.gather(*(one(n) for n in range(8)))
    assert all(isinstance(outcome, Succeeded) for outcome in outcomes)
    assert len({outcome.outputs for outcome in outcomes if isinstance(outcome, Succeeded)}) == 8


async def test_the_engine_describes_itself_and_the_snapshot_survives_json(
    comfy: ComfyClient,
) -> None:
    await comfy.root()
    assert (await comfy.features()).max_upload_bytes == 104857600
    assert await comfy.queue_remaining() == 0
    await comfy.free(unload_models=True)
    snapshot = await capture(comfy)
    assert "WanAnimateToVideo" in snapshot.classes
    assert "wan_2.1_vae.safetensors" in snapshot.models["vae"]
    assert "wan_2.1_vae.safetensors" in snapshot.choices["VAELoader.vae_name"]
    assert snapshot.devices
    assert CapabilitySnapshot.from_data(snapshot.as_data()) == snapshot
    small = await capture(comfy, classes={"VAELoader", "Absent"})
    assert small.classes == ("VAELoader",)


async def test_what_missing_for_accepts_the_engine_takes(comfy: ComfyClient) -> None:
    catalogue = Catalogue.read(await comfy.object_info())
    assert missing_for(clip(), catalogue) == ()
    wrong = clip() | {"1": {"class_type": "EmptyImage", "inputs": {"width": 0, "height": 64}}}
    told = {problem.kind for problem in missing_for(wrong, catalogue)}
    assert "out_of_range" in told
    with pytest.raises(PromptRefused):
        await submit(comfy, wrong)
    assert await comfy.object_info("NoSuchNode") == {}
