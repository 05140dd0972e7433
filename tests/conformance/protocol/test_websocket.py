"""The websocket: who hears what, and in which order."""

import asyncio
from pathlib import Path

import httpx
import pytest
import websockets

from tests.conformance.graphs import colour, endless, node, picture, sampled
from tests.conformance.server import Server, client

FLAGS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}


async def test_first_message_is_the_status_with_the_client_id(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        [status] = socket.of("status")
        assert status == {"status": {"exec_info": {"queue_remaining": 0}}, "sid": me}


async def test_without_a_client_id_the_server_makes_one(server: Server) -> None:
    async with server.socket() as socket:
        assert len(socket.of("status")[0]["sid"]) == 32


async def test_socket_opens_under_the_api_prefix(server: Server) -> None:
    address = f"{server.url.replace('http', 'ws', 1)}/api/ws?clientId={client()}"
    async with websockets.connect(address) as connection:
        assert '"status"' in str(await connection.recv())


async def test_feature_flags_as_first_message_are_answered(server: Server) -> None:
    async with server.socket(client()) as socket:
        await socket.send(FLAGS)
        answer = await socket.until_kind("feature_flags")
    assert answer["supports_preview_metadata"] is True
    assert answer["max_upload_size"] == 104857600


async def test_feature_flags_as_second_message_are_not_answered(server: Server) -> None:
    async with server.socket(client()) as socket:
        await socket.send({"type": "hello", "data": {}})
        await socket.send(FLAGS)
        await socket.listen(0.4)
        assert socket.of("feature_flags") == []


async def test_messages_of_one_run_come_in_order(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(picture(), client_id=me)
        await socket.until_end(prompt_id)
        kinds = socket.kinds("progress_state")[1:]
    assert kinds[:4] == ["status", "status", "execution_start", "execution_cached"]
    assert kinds[4:7] == ["executing", "executing", "executed"]
    assert kinds[7:] == ["execution_success", "status", "executing"]


async def test_executing_names_node_display_node_and_prompt(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(picture(), client_id=me)
        await socket.until_end(prompt_id)
        first, second, last = socket.of("executing")
    assert first == {"node": "1", "display_node": "1", "prompt_id": prompt_id}
    assert second["node"] == "2"
    assert last == {"node": None, "prompt_id": prompt_id}


async def test_sampling_reports_progress_step_by_step(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(sampled(steps=4), client_id=me)
        await socket.until_end(prompt_id)
        steps = [p for p in socket.of("progress") if p["node"] == "sampler"]
    assert [(p["value"], p["max"]) for p in steps] == [(n, 4) for n in (1, 2, 3, 4)]
    assert {p["prompt_id"] for p in steps} == {prompt_id}


async def test_progress_state_grows_with_every_node(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(picture(), client_id=me)
        await socket.until_end(prompt_id)
        states = socket.of("progress_state")
    assert [len(state["nodes"]) for state in states] == [1, 1, 2, 2]
    assert states[0]["nodes"]["1"]["state"] == "running"
    assert {n["state"] for n in states[-1]["nodes"].values()} == {"finished"}
    entry = states[0]["nodes"]["1"]
    wanted = {"value", "max", "state", "node_id", "display_node_id", "parent_node_id"}
    assert wanted | {"real_node_id"} <= set(entry)


async def test_executed_comes_only_for_nodes_that_show_something(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(picture(), client_id=me)
        await socket.until_end(prompt_id)
        [executed] = socket.of("executed")
    assert executed["node"] == executed["display_node"] == "2"
    assert executed["output"]["images"][0]["type"] == "temp"
    assert executed["prompt_id"] == prompt_id


async def test_cached_run_tells_the_outputs_again_without_executing(server: Server) -> None:
    graph, me = picture(), client()
    await server.succeeded(graph)
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(graph, client_id=me)
        await socket.until_end(prompt_id)
        assert [e["node"] for e in socket.of("executing")] == [None]
        assert [e["node"] for e in socket.of("executed")] == ["2"]
        assert socket.of("execution_cached")[0]["nodes"] == ["1", "2"]


async def test_error_takes_the_place_of_success(server: Server, tmp_path: Path) -> None:
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"no picture")
    name = await server.upload(junk)
    graph = {"1": node("LoadImage", image=name), "2": node("PreviewImage", images=["1", 0])}
    me = client()
    async with server.socket(me) as socket:
        await socket.until_end(await server.accepted(graph, client_id=me))
        assert socket.kinds()[-3:] == ["execution_error", "status", "executing"]


async def test_interrupt_takes_the_place_of_success(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        prompt_id = await server.accepted(endless(), client_id=me)
        await socket.until_kind("progress")
        await server.interrupt(prompt_id)
        await socket.until_end(prompt_id)
        assert socket.kinds()[-3:] == ["execution_interrupted", "status", "executing"]


async def test_another_client_hears_only_the_status(server: Server) -> None:
    async with server.socket(client()) as other:
        prompt_id = await server.accepted(sampled(steps=2), client_id=client())
        await server.finished(prompt_id)
        await other.listen(0.3)
        assert set(other.kinds()) == {"status"}
        assert [s["status"]["exec_info"]["queue_remaining"] for s in other.of("status")] == [
            0,
            1,
            1,
            0,
        ]


async def test_prompt_without_a_client_tells_everyone_its_progress_and_nothing_else(
    server: Server,
) -> None:
    async with server.socket(client()) as anyone:
        await server.finished(await server.accepted(sampled(steps=2)))
        await anyone.listen(0.3)
        assert set(anyone.kinds("binary")) == {"status", "progress", "progress_state"}


async def test_interrupt_of_a_prompt_without_a_client_is_told_to_everyone(server: Server) -> None:
    async with server.socket(client()) as anyone:
        prompt_id = await server.accepted(endless())
        await anyone.until_kind("progress")
        await server.interrupt(prompt_id)
        told = await anyone.until_kind("execution_interrupted")
        assert told["prompt_id"] == prompt_id


async def test_reconnecting_client_is_told_the_running_node_without_a_prompt_id(
    server: Server,
) -> None:
    me = client()
    async with server.socket(me) as socket:
        await server.accepted(endless(), client_id=me)
        await socket.until_kind("progress")
    async with server.socket(me) as socket:
        assert await socket.until_kind("executing") == {"node": "sampler"}
        assert socket.kinds("progress", "progress_state")[:2] == ["status", "executing"]


async def test_nothing_is_replayed(server: Server) -> None:
    me = client()
    prompt_id = await server.accepted(picture(), client_id=me)
    await server.finished(prompt_id)
    async with server.socket(me) as socket:
        await socket.listen(0.3)
        assert socket.kinds() == ["status"]


async def test_of_two_sockets_with_one_client_id_only_the_newer_hears(server: Server) -> None:
    me = client()
    async with server.socket(me) as older, server.socket(me) as newer:
        prompt_id = await server.accepted(picture(), client_id=me)
        await newer.until_end(prompt_id)
        await older.listen(0.3)
        assert older.kinds() == ["status"]


async def test_closing_the_older_socket_makes_the_newer_one_deaf(server: Server) -> None:
    me = client()
    async with server.socket(me) as older, server.socket(me) as newer:
        await older.connection.close()
        await asyncio.sleep(0.2)
        await server.succeeded(picture(), client_id=me)
        await newer.listen(0.4)
        assert newer.kinds() == ["status"]


async def test_identical_nodes_share_one_result(server: Server) -> None:
    twin, me = colour(), client()
    graph = {
        "1": twin,
        "2": {**twin, "inputs": dict(twin["inputs"])},
        "3": node("ImageBatch", image1=["1", 0], image2=["2", 0]),
        "4": node("PreviewImage", images=["3", 0]),
    }
    async with server.socket(me) as socket:
        await socket.until_end(await server.accepted(graph, client_id=me))
        ran = [e["node"] for e in socket.of("executing")]
        shared = [e for e in socket.of("executed") if e["output"] is None]
    assert len([n for n in ran if n in ("1", "2")]) == 1
    assert len(shared) == 1


async def test_foreign_origin_is_403(server: Server) -> None:
    answer = await server.http.get("/queue", headers={"Origin": "http://example.org"})
    assert answer.status_code == 403


async def test_own_origin_passes(server: Server) -> None:
    answer = await server.http.get("/queue", headers={"Origin": server.url})
    assert answer.status_code == 200


async def test_socket_of_a_foreign_origin_is_403(server: Server) -> None:
    address = f"{server.url.replace('http', 'ws', 1)}/ws?clientId={client()}"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(address, origin=websockets.Origin("http://example.org"))
    assert refused.value.response.status_code == httpx.codes.FORBIDDEN
