"""The queue and interrupts."""

import asyncio
import time

from tests.conformance.graphs import endless, picture, sampled
from tests.conformance.server import Server, client, last_message


async def test_queue_lists_number_id_graph_extra_data_and_outputs(server: Server) -> None:
    graph, waiting = endless(), picture()
    running_id = await server.started(graph, client_id="c1", extra_data={"mine": 1})
    waiting_id = await server.accepted(waiting)
    body = (await server.http.get("/queue")).json()
    assert set(body) == {"queue_running", "queue_pending"}
    [[number, prompt_id, listed, extra, outputs]] = body["queue_running"]
    assert prompt_id == running_id
    assert listed.keys() == graph.keys()
    assert extra == {"mine": 1, "client_id": "c1"}
    assert outputs == ["out"]
    [[next_number, next_id, *_]] = body["queue_pending"]
    assert (next_number, next_id) == (number + 1, waiting_id)


async def test_get_prompt_counts_running_and_waiting(server: Server) -> None:
    assert (await server.http.get("/prompt")).json() == {"exec_info": {"queue_remaining": 0}}
    await server.started(endless())
    await server.accepted(picture())
    assert (await server.http.get("/prompt")).json() == {"exec_info": {"queue_remaining": 2}}


async def test_prompts_run_in_the_order_they_came(server: Server) -> None:
    blocker = await server.started(endless())
    ids = [await server.accepted(picture()) for _ in range(3)]
    await server.interrupt(blocker)
    for prompt_id in ids:
        await server.finished(prompt_id)
    everything = (await server.http.get("/history")).json()
    assert [key for key in everything if key in ids] == ids


async def test_smaller_number_runs_first_and_front_is_negative(server: Server) -> None:
    blocker = await server.started(endless())
    late = await server.accepted(picture(), number=1e9)
    plain = await server.accepted(picture())
    front = (await server.post(picture(), front=True)).json()
    assert front["number"] < 0
    await server.interrupt(blocker)
    ids = [front["prompt_id"], plain, late]
    for prompt_id in ids:
        await server.finished(prompt_id)
    everything = (await server.http.get("/history")).json()
    assert [key for key in everything if key in ids] == ids


async def test_equal_numbers_run_in_order_of_prompt_id(server: Server) -> None:
    blocker = await server.started(endless())
    ids = [f"{letter}-{client()}" for letter in "bca"]
    for prompt_id in ids:
        await server.accepted(picture(), prompt_id=prompt_id, number=1e9)
    await server.interrupt(blocker)
    for prompt_id in ids:
        await server.finished(prompt_id)
    everything = (await server.http.get("/history")).json()
    assert [key for key in everything if key in ids] == sorted(ids)


async def test_deleted_prompt_leaves_no_trace(server: Server) -> None:
    blocker = await server.started(endless())
    doomed = await server.accepted(picture())
    answer = await server.http.post("/queue", json={"delete": [doomed]})
    assert (answer.status_code, answer.content) == (200, b"")
    assert await server.queue() == ([blocker], [])
    assert await server.history(doomed) == {}


async def test_delete_leaves_a_running_prompt_untouched(server: Server) -> None:
    running = await server.started(endless())
    answer = await server.http.post("/queue", json={"delete": [running]})
    assert (answer.status_code, answer.content) == (200, b"")
    await asyncio.sleep(0.2)
    assert await server.queue() == ([running], [])


async def test_delete_of_an_unknown_prompt_is_200_and_empty(server: Server) -> None:
    answer = await server.http.post("/queue", json={"delete": ["never"]})
    assert (answer.status_code, answer.content) == (200, b"")


async def test_clear_removes_all_that_wait_but_not_what_runs(server: Server) -> None:
    running = await server.started(endless())
    for _ in range(3):
        await server.accepted(picture())
    answer = await server.http.post("/queue", json={"clear": True})
    assert (answer.status_code, answer.content) == (200, b"")
    assert await server.queue() == ([running], [])


async def test_interrupt_of_a_waiting_prompt_does_nothing(server: Server) -> None:
    running = await server.started(endless())
    waiting = await server.accepted(picture())
    await server.interrupt(waiting)
    await asyncio.sleep(0.3)
    assert await server.queue() == ([running], [waiting])


async def test_interrupt_of_an_unknown_prompt_is_200_and_does_nothing(server: Server) -> None:
    running = await server.started(endless())
    await server.interrupt("never")
    await asyncio.sleep(0.3)
    assert await server.queue() == ([running], [])


async def test_interrupt_without_a_body_stops_whatever_runs(server: Server) -> None:
    running = await server.started(endless())
    answer = await server.http.post("/interrupt")
    assert (answer.status_code, answer.content) == (200, b"")
    assert last_message(await server.finished(running))[0] == "execution_interrupted"


async def test_interrupted_is_error_in_the_status_and_told_apart_by_the_last_message(
    server: Server,
) -> None:
    running = await server.started(endless())
    await server.interrupt(running)
    entry = await server.finished(running)
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["completed"] is False
    kind, data = last_message(entry)
    assert kind == "execution_interrupted"
    assert {"node_id", "node_type", "executed", "prompt_id", "timestamp"} <= set(data)


async def test_interrupt_takes_hold_at_the_next_sampling_step(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        running = await server.accepted(endless(), client_id=me)
        await socket.until_kind("progress")
        asked = time.monotonic()
        await server.interrupt(running)
        await socket.until_kind("execution_interrupted")
    assert time.monotonic() - asked < 2


async def test_interrupt_while_idle_harms_nobody(server: Server) -> None:
    assert (await server.http.post("/interrupt")).status_code == 200
    await server.succeeded(sampled(steps=2))


async def test_next_prompt_runs_after_an_interrupt(server: Server) -> None:
    running = await server.started(endless())
    following = await server.accepted(picture())
    await server.interrupt(running)
    assert (await server.finished(following))["status"]["status_str"] == "success"
