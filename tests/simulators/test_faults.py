"""Faults on order, and the journal."""

import asyncio
import time
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
import websockets

from tests.conformance.graphs import endless, picture, sampled, video
from tests.conformance.media import look
from tests.conformance.server import Server, client, last_message
from tests.support.comfyui import Simulator


async def _order(server: Server, *faults: dict[str, Any]) -> None:
    answer = await server.http.put("/simulator/faults", json={"faults": list(faults)})
    assert answer.status_code == 200, answer.text


async def _journal(server: Server, **query: str) -> list[dict[str, Any]]:
    answer = await server.http.get("/simulator/journal", params=query)
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


@pytest.mark.parametrize(
    ("kind", "reported"),
    [("error", "simulators.comfyui.faults.OrderedError"), ("oom", "torch.OutOfMemoryError")],
)
async def test_ordered_exception_strikes_its_class_once_and_the_next_prompt_runs(
    server: Server, kind: str, reported: str
) -> None:
    await _order(server, {"kind": kind, "class": "VAEDecode", "times": 1})
    await server.succeeded(picture())
    name, data = last_message(await server.run(sampled(steps=1)))
    assert (name, data["node_type"]) == ("execution_error", "VAEDecode")
    assert data["exception_type"] == reported
    assert ("TIPS" in data["exception_message"]) is (kind == "oom")
    await server.succeeded(sampled(steps=1))


async def test_slow_node_heeds_an_interrupt(server: Server) -> None:
    await _order(server, {"kind": "slow", "class": "EmptyImage", "seconds": 30})
    running = await server.started(picture())
    await server.interrupt(running)
    entry = await asyncio.wait_for(server.finished(running), 5)
    assert last_message(entry)[0] == "execution_interrupted"


async def test_hanging_node_is_deaf_to_an_interrupt_until_it_ends(server: Server) -> None:
    await _order(server, {"kind": "hang", "class": "EmptyImage", "seconds": 1})
    asked = time.monotonic()
    running = await server.started(picture())
    await server.interrupt(running)
    entry = await server.finished(running)
    assert time.monotonic() - asked >= 0.9
    assert last_message(entry)[0] == "execution_interrupted"


async def test_exit_ends_the_process_as_an_out_of_memory_kill(
    simulator: Simulator, server: Server
) -> None:
    await _order(server, {"kind": "exit", "class": "KSampler"})
    await server.accepted(sampled(steps=1))
    assert await asyncio.to_thread(simulator.process.wait, 10) == 137


async def test_websocket_can_be_refused(server: Server) -> None:
    await _order(server, {"kind": "refuse_websocket", "times": 1})
    with pytest.raises(websockets.InvalidStatus):
        async with server.socket(client()):
            pass
    async with server.socket(client()):
        pass


async def test_websocket_can_be_dropped_in_the_middle_of_a_run(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(sampled(steps=20), client_id=me)
        await socket.until_kind("progress")
        await _order(server, {"kind": "drop_websocket", "times": 1})
        with pytest.raises(websockets.ConnectionClosed):
            await socket.until_end(prompt_id)
    assert (await server.finished(prompt_id))["status"]["status_str"] == "success"


async def test_websocket_can_be_open_and_deaf(server: Server) -> None:
    await _order(server, {"kind": "deaf_websocket", "times": 1})
    me = client()
    async with server.socket(me) as socket:
        await server.succeeded(picture(), client_id=me)
        await socket.listen(0.3)
        assert socket.kinds() == ["status"]


async def test_answer_to_a_prompt_can_be_delayed(server: Server) -> None:
    await _order(server, {"kind": "delay_prompt", "seconds": 0.5, "times": 1})
    asked = time.monotonic()
    await server.accepted(picture())
    assert time.monotonic() - asked >= 0.5


async def test_prompt_can_be_taken_without_an_answer(server: Server) -> None:
    await _order(server, {"kind": "accept_without_answer", "times": 1})
    chosen = client()
    with pytest.raises(httpx.ReadTimeout):
        await server.http.post(
            "/prompt", json={"prompt": picture(), "prompt_id": chosen}, timeout=0.5
        )
    assert (await server.finished(chosen))["status"]["status_str"] == "success"


async def test_prompt_can_be_taken_with_a_500(server: Server) -> None:
    await _order(server, {"kind": "accept_with_500", "times": 1})
    chosen = client()
    answer = await server.post(picture(), prompt_id=chosen)
    assert answer.status_code == 500
    assert (await server.finished(chosen))["status"]["status_str"] == "success"


async def test_any_route_can_fail_for_a_while(server: Server) -> None:
    await _order(server, {"kind": "http", "path": "/history", "status": 502, "times": 2})
    codes = [(await server.http.get("/api/history")).status_code for _ in range(3)]
    assert codes == [502, 502, 200]


async def test_history_can_come_late(server: Server) -> None:
    await _order(server, {"kind": "late_history", "seconds": 0.5, "times": 1})
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(picture(), client_id=me)
        await socket.until_kind("execution_success")
        assert await server.history(prompt_id) == {}
        await socket.until_end(prompt_id)
        assert prompt_id in await server.history(prompt_id)


async def test_output_file_can_be_lost(server: Server) -> None:
    await _order(server, {"kind": "lose_outputs", "times": 1})
    [item] = (await server.succeeded(video("a")))["outputs"]["3"]["images"]
    assert (await server.http.get("/view", params=item)).status_code == 404


async def test_success_can_come_without_outputs(server: Server) -> None:
    await _order(server, {"kind": "empty_outputs", "times": 1})
    assert (await server.succeeded(video("a")))["outputs"] == {}


async def test_output_file_can_be_cut_short(server: Server, tmp_path: Path) -> None:
    await _order(server, {"kind": "corrupt_outputs", "times": 1})
    [item] = (await server.succeeded(video("a")))["outputs"]["3"]["images"]
    path = await server.fetched(item, tmp_path)
    with pytest.raises((av.error.FFmpegError, IndexError)):
        look(path)


async def test_output_file_can_lack_a_frame(server: Server, tmp_path: Path) -> None:
    await _order(server, {"kind": "short_outputs", "times": 1})
    [item] = (await server.succeeded(video("a", count=4)))["outputs"]["3"]["images"]
    assert look(await server.fetched(item, tmp_path)).frames == 3


async def test_faults_can_be_listed_and_cleared(server: Server) -> None:
    await _order(server, {"kind": "error", "times": 3})
    await server.run(picture())
    [listed] = (await server.http.get("/simulator/faults")).json()["faults"]
    assert (listed["kind"], listed["times"]) == ("error", 2)
    assert (await server.http.delete("/simulator/faults")).status_code == 204
    await server.succeeded(picture())


@pytest.mark.parametrize("fault", [{"kind": "nonsense"}, {"kind": "error", "surprise": 1}, {}])
async def test_unknown_fault_is_refused(server: Server, fault: dict[str, Any]) -> None:
    answer = await server.http.put("/simulator/faults", json={"faults": [fault]})
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_journal_tells_what_ran_and_what_was_cached(server: Server) -> None:
    graph, me = video("a"), client()
    ids = [await server.accepted(graph, client_id=me) for _ in range(2)]
    for prompt_id in ids:
        await server.finished(prompt_id)
    first, again = await _journal(server, event="finished")
    assert [first["prompt_id"], again["prompt_id"]] == ids
    assert (first["nodes_run"], first["nodes_cached"]) == (["1", "2", "3"], [])
    assert (again["nodes_run"], again["nodes_cached"]) == ([], ["1", "2", "3"])
    assert first["client_id"] == me
    assert first["outcome"] == "success"
    assert first["started_at"] <= first["ended_at"]
    assert first["files"][0]["filename"] == "a_00001_.mp4"


async def test_journal_tells_errors_and_interrupts(server: Server) -> None:
    await _order(server, {"kind": "error", "class": "EmptyImage", "times": 1})
    failed = (await server.run(picture()))["prompt"][1]
    stopped = await server.started(endless())
    await server.interrupt(stopped)
    await server.finished(stopped)
    outcomes = {e["prompt_id"]: e for e in await _journal(server, event="finished")}
    assert outcomes[failed]["outcome"] == "error"
    assert outcomes[failed]["error"]["node_id"] == "1"
    assert outcomes[stopped]["outcome"] == "interrupted"


async def test_journal_shows_a_prompt_that_was_taken_twice(server: Server) -> None:
    twin = client()
    for _ in range(2):
        await server.accepted(picture(), prompt_id=twin)
    await server.quiet()
    entries = await _journal(server, event="accepted", prompt_id=twin)
    assert len(entries) == 2


async def test_a_cut_answer_breaks_the_connection_and_the_next_one_comes(server: Server) -> None:
    await _order(server, {"kind": "http_cut", "path": "/queue", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        await server.http.get("/queue")
    assert (await server.http.get("/queue")).status_code == 200


async def test_a_delayed_answer_comes_late_and_whole(server: Server) -> None:
    await _order(server, {"kind": "http_delay", "path": "/queue", "seconds": 0.4, "times": 1})
    asked = time.monotonic()
    assert (await server.http.get("/queue")).status_code == 200
    assert time.monotonic() - asked >= 0.4


async def test_a_full_disk_is_reported_as_the_operating_system_says_it(server: Server) -> None:
    await _order(server, {"kind": "disk_full", "class": "SaveVideo", "times": 1})
    name, data = last_message(await server.run(video("disk-full")))
    assert name == "execution_error"
    assert data["exception_type"] == "OSError"
    assert "No space left on device" in data["exception_message"]
