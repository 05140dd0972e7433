"""Following a prompt: polling is the truth, the socket a hint, an outage an update."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from contextlib import aclosing
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket

from engines.comfyui import (
    Backoff,
    ComfyClient,
    ComfySocket,
    Doubled,
    EngineAddress,
    EngineRefused,
    ExecutionSuccess,
    Failed,
    Heard,
    Interrupted,
    Lost,
    Outcome,
    OutputFile,
    Overdue,
    Pace,
    Queued,
    Reachable,
    Started,
    Succeeded,
    Unreachable,
    Unseen,
    Update,
    follow,
    wait_for_end,
)
from tests.engines.fake_engine import PROMPT_ID, FakeEngine, entry, success

QUICK = Pace(first_s=0.02, most_s=0.1, lost_looks=3, lost_after_s=0.2, away=Backoff(0.02, 0.1))
SLOW = Pace(first_s=30.0, most_s=30.0)
DONE = Succeeded((OutputFile("9", "images", "a.mp4", ""),))


async def updates_of(client: ComfyClient, **options: Any) -> list[Update | Outcome]:
    options.setdefault("pace", QUICK)
    async with aclosing(follow(client, PROMPT_ID, **options)) as updates:
        return [update async for update in updates]


def after_looks(engine: FakeEngine, looks: int, change: Any) -> None:
    """Calls `change` when the queue is asked for the `looks`-th time, before answering."""
    count = 0

    async def answer(request: Request) -> Response:
        nonlocal count
        count += 1
        if count == looks:
            change()
        return engine._idle("GET", "/queue", engine.seen[-1])

    engine.on("GET", "/queue", answer)


async def test_a_prompt_is_followed_from_the_queue_to_its_files(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running, engine.pending = ["other"], [PROMPT_ID]

    def starts() -> None:
        engine.running, engine.pending = [PROMPT_ID], []

    def ends() -> None:
        engine.running = []
        engine.entries[PROMPT_ID] = success("a.mp4")

    after_looks(engine, 2, starts)
    seen: list[Update | Outcome] = []
    async with aclosing(follow(client, PROMPT_ID, pace=QUICK)) as updates:
        async for update in updates:
            seen.append(update)
            if isinstance(update, Started):
                ends()
    assert seen == [Queued(1), Started(), DONE]


async def test_a_prompt_queued_twice_is_told_at_every_look_until_one_is_left(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running, engine.pending = [PROMPT_ID], [PROMPT_ID]

    def ends() -> None:
        engine.running, engine.pending = [], []
        engine.entries[PROMPT_ID] = success("a.mp4")

    after_looks(engine, 3, ends)
    assert await updates_of(client) == [Doubled(2), Started(), Doubled(2), DONE]


async def test_interrupted_and_failed_are_told_apart(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.entries[PROMPT_ID] = entry("error", ["execution_interrupted", {"node_id": "6"}])
    assert await wait_for_end(client, PROMPT_ID) == Interrupted("6")
    data = {"node_id": "6", "exception_type": "torch.OutOfMemoryError"}
    engine.entries[PROMPT_ID] = entry("error", ["execution_error", data])
    failed = await wait_for_end(client, PROMPT_ID)
    assert isinstance(failed, Failed)
    assert failed.oom


async def test_lost_only_after_several_looks_over_a_grace_period(
    engine: FakeEngine, client: ComfyClient
) -> None:
    started = time.monotonic()
    updates = await updates_of(client)
    assert all(isinstance(update, Unseen) for update in updates[:-1])
    lost = updates[-1]
    assert isinstance(lost, Lost)
    assert lost.looks >= 3
    assert time.monotonic() - started >= 0.2


async def test_a_history_that_lags_is_not_a_loss(engine: FakeEngine, client: ComfyClient) -> None:
    engine.running = [PROMPT_ID]

    def vanishes() -> None:
        engine.running = []

    def appears() -> None:
        engine.entries[PROMPT_ID] = success("a.mp4")

    after_looks(engine, 2, vanishes)
    seen: list[Update | Outcome] = []
    async with aclosing(follow(client, PROMPT_ID, pace=QUICK)) as updates:
        async for update in updates:
            seen.append(update)
            if isinstance(update, Unseen):
                appears()
    assert seen == [Started(), Unseen(1), DONE]


async def test_an_engine_that_is_away_is_an_update_and_not_an_end(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running = [PROMPT_ID]
    seen: list[Update | Outcome] = []
    async with aclosing(follow(client, PROMPT_ID, pace=QUICK)) as updates:
        async for update in updates:
            seen.append(update)
            if isinstance(update, Started):
                engine.on("GET", "/queue", PlainTextResponse("bad gateway", 502))
            if isinstance(update, Unreachable) and update.tries == 3:
                engine.answers.clear()
                engine.running = []
                engine.entries[PROMPT_ID] = success("a.mp4")
    assert [type(u) for u in seen] == [
        Started, Unreachable, Unreachable, Unreachable, Reachable, Succeeded
    ]  # fmt: skip


async def test_credentials_that_stop_working_are_told_and_the_prompt_lives_on(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.on("GET", "/queue", PlainTextResponse("no", 401))
    async with aclosing(follow(client, PROMPT_ID, pace=QUICK)) as updates:
        update = await anext(updates)
        assert isinstance(update, Unreachable)
        assert isinstance(update.error, EngineRefused)
        engine.answers.clear()
        engine.entries[PROMPT_ID] = success("a.mp4")
        assert isinstance(await anext(updates), Reachable)
        assert await anext(updates) == DONE


async def test_an_outage_starts_the_count_of_empty_looks_again(
    engine: FakeEngine, client: ComfyClient
) -> None:
    seen: list[Update | Outcome] = []
    async with aclosing(follow(client, PROMPT_ID, pace=QUICK)) as updates:
        async for update in updates:
            seen.append(update)
            if len(seen) == 2:
                engine.on("GET", "/queue", PlainTextResponse("", 502))
            else:
                engine.answers.clear()
    assert seen[:2] == [Unseen(1), Unseen(2)]
    assert isinstance(seen[2], Unreachable)
    assert isinstance(seen[3], Reachable)
    assert seen[4] == Unseen(1)
    assert isinstance(seen[-1], Lost)


async def test_a_deadline_ends_the_following_and_leaves_the_prompt(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running = [PROMPT_ID]
    updates = await updates_of(client, deadline_s=0.3)
    assert isinstance(updates[-1], Overdue)
    assert engine.paths("POST") == []
    assert engine.running == [PROMPT_ID]


async def test_a_deadline_holds_while_the_engine_hangs(
    engine: FakeEngine, client: ComfyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the package's name `follow` is the function
    module = importlib.import_module("engines.comfyui.follow")
    monkeypatch.setattr(module, "LAST_LOOK_S", 0.2)

    async def hang(request: Request) -> Response:
        await asyncio.sleep(5)
        return Response()

    engine.on("GET", "/queue", hang)
    started = time.monotonic()
    assert isinstance(await wait_for_end(client, PROMPT_ID, deadline_s=0.1), Overdue)
    assert time.monotonic() - started < 2


async def test_a_prompt_that_ended_is_seen_even_after_the_deadline(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.entries[PROMPT_ID] = success("a.mp4")
    assert await wait_for_end(client, PROMPT_ID, deadline_s=0) == DONE


async def test_polls_are_bounded(engine: FakeEngine, client: ComfyClient) -> None:
    engine.running = [PROMPT_ID]
    await updates_of(client, deadline_s=1.0, pace=Pace(first_s=0.1, most_s=0.4))
    # pauses of 0.1, 0.15, 0.23, 0.34, 0.4: a handful of looks in a second
    assert 3 <= len(engine.paths()) <= 6


def frame(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": data})


async def test_a_message_wakes_the_poll_at_once(engine: FakeEngine, client: ComfyClient) -> None:
    engine.running = [PROMPT_ID]
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go.wait(), loop))
        engine.running = []
        engine.entries[PROMPT_ID] = success("a.mp4")
        await ws.send_text(frame("execution_success", prompt_id=PROMPT_ID))
        await ws.receive()

    engine.talk = talk
    seen: list[Update | Outcome] = []
    async with ComfySocket(client.address, "c") as socket:
        with socket.listen(PROMPT_ID) as hint:
            async with aclosing(follow(client, PROMPT_ID, hint=hint, pace=SLOW)) as updates:
                async for update in updates:
                    seen.append(update)
                    go.set()
    assert seen == [Started(), Heard(ExecutionSuccess(prompt_id=PROMPT_ID)), DONE]


async def test_the_end_of_a_prompt_is_one_question_once_its_last_message_came(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running = [PROMPT_ID]
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go.wait(), loop))
        await ws.send_text(frame("execution_success", prompt_id=PROMPT_ID))
        engine.running = []
        engine.entries[PROMPT_ID] = success("a.mp4")
        await ws.send_text(frame("executing", prompt_id=PROMPT_ID, node=None))
        await ws.receive()

    engine.talk = talk
    patient = Pace(first_s=30.0, most_s=30.0, least_s=30.0)
    async with ComfySocket(client.address, "c") as socket:
        with socket.listen(PROMPT_ID) as hint:
            async with aclosing(follow(client, PROMPT_ID, hint=hint, pace=patient)) as updates:
                async for _ in updates:
                    go.set()
    assert engine.paths("GET") == ["/queue", f"/history/{PROMPT_ID}"]


async def test_success_on_the_socket_does_not_end_a_prompt_without_history(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running = [PROMPT_ID]

    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        for _ in range(3):
            await ws.send_text(frame("execution_success", prompt_id=PROMPT_ID))
        await ws.receive()

    engine.talk = talk
    async with ComfySocket(client.address, "c") as socket:
        with socket.listen(PROMPT_ID) as hint:
            updates = await updates_of(client, hint=hint, deadline_s=0.5)
    assert Heard(ExecutionSuccess(prompt_id=PROMPT_ID)) in updates
    assert isinstance(updates[-1], Overdue)


async def test_lost_websocket_resumes_from_history(engine: FakeEngine, client: ComfyClient) -> None:
    engine.running = [PROMPT_ID]

    async def talk(ws: WebSocket) -> None:
        # the prompt ends while the socket is breaking: nobody is ever told
        await ws.receive_text()
        engine.talk = None
        engine.running = []
        engine.entries[PROMPT_ID] = success("a.mp4")
        await ws.close(1011)

    engine.talk = talk
    async with ComfySocket(client.address, "c") as socket:
        with socket.listen(PROMPT_ID) as hint:
            assert await wait_for_end(client, PROMPT_ID, hint=hint, pace=QUICK) == DONE


async def test_a_deaf_socket_neither_hangs_the_prompt_nor_stays_deaf(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running = [PROMPT_ID]

    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        if len(engine.handshakes) == 3:
            engine.running = []
            engine.entries[PROMPT_ID] = success("a.mp4")
        await ws.receive()

    engine.talk = talk
    socket = ComfySocket(client.address, "c", silent_after_s=0.1, backoff=Backoff(0.01, 0.02))
    async with socket:
        with socket.listen(PROMPT_ID) as hint:
            assert await wait_for_end(client, PROMPT_ID, hint=hint, pace=QUICK) == DONE
    assert len(engine.handshakes) == 3


async def test_an_engine_that_restarted_has_lost_the_prompt(client: ComfyClient) -> None:
    engine = FakeEngine(running=[PROMPT_ID])
    first_life = engine.up()
    first_life.__enter__()
    seen: list[Update | Outcome] = []
    async with (
        ComfyClient(EngineAddress(engine.url), tries=1) as own,
        aclosing(follow(own, PROMPT_ID, pace=QUICK)) as updates,
    ):
        seen.append(await anext(updates))
        await asyncio.to_thread(first_life.__exit__, None, None, None)
        seen.append(await anext(updates))
        engine.running = []
        with engine.up():
            seen += [update async for update in updates]
    assert isinstance(seen[0], Started)
    assert isinstance(seen[1], Unreachable)
    assert isinstance(seen[-1], Lost)


async def test_a_history_of_half_a_megabyte_is_read_quickly(
    engine: FakeEngine, client: ComfyClient
) -> None:
    big = success("a.mp4")
    big["outputs"]["100"] = {"openpose_json": ["k" * 12_000] * 40}
    engine.on("GET", f"/history/{PROMPT_ID}", JSONResponse({PROMPT_ID: big}))
    assert await wait_for_end(client, PROMPT_ID) == DONE
