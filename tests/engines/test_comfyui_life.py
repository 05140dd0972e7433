"""Signs of life of a prompt: what counts, and when none could have been noticed."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest
from starlette.websockets import WebSocket

from engines.comfyui import (
    Absent,
    ComfyClient,
    ComfySocket,
    Connected,
    Disconnected,
    Executing,
    InHistory,
    Overdue,
    Pace,
    Pending,
    Place,
    Progress,
    Running,
    Silent,
    SocketEvent,
    Stalled,
    Started,
    Status,
    Unknown,
    follow,
)
from engines.comfyui.life import Life
from tests.engines.fake_engine import PROMPT_ID, FakeEngine

HELLO = Status(queue_remaining=1)
STEP = Progress(value=1, max=4, node="3", prompt_id="p")


def quiet_s(*seen: tuple[float, Place | SocketEvent | None]) -> float:
    """For how long nothing was seen of a prompt, after these looks and messages by time."""
    life = Life(0.0)
    for at_s, what in seen:
        if what is None or isinstance(what, Running | Pending | InHistory | Absent):
            life.looked(what, at_s)
        else:
            life.heard(what, at_s)
    return life.quiet_s


def test_a_running_prompt_that_says_nothing_is_quiet_since_it_was_last_heard() -> None:
    assert quiet_s((0, HELLO), (1, Running()), (5, Running())) == 4
    assert quiet_s((0, HELLO), (1, Running()), (4, STEP), (5, Running())) == 1


@pytest.mark.parametrize(
    "word",
    [HELLO, Executing(node="3"), Unknown(kind="monitor", size_bytes=9), Silent(30.0), Connected(0)],
)
def test_what_is_told_to_everybody_is_no_sign_of_life(word: SocketEvent) -> None:
    assert quiet_s((0, HELLO), (1, Running()), (4, word), (5, Running())) == 4


def test_time_without_ears_does_not_count() -> None:
    assert quiet_s((1, Running()), (9, Running())) == 0
    assert quiet_s((0, Connected(0)), (1, Running()), (9, Running())) == 0
    closed = ((2, Disconnected("closed", 0.1)), (7, Connected(1)), (7, HELLO))
    assert quiet_s((0, HELLO), (1, Running()), *closed, (9, Running())) == 3


def test_an_engine_that_was_away_starts_anew() -> None:
    assert quiet_s((0, HELLO), (1, Running()), (5, None), (6, Running()), (8, Running())) == 2


def test_a_prompt_that_is_next_while_nothing_runs_should_begin() -> None:
    assert quiet_s((1, Pending(0)), (6, Pending(0))) == 5
    assert quiet_s((0, HELLO), (1, Pending(1)), (6, Pending(1))) == 0


async def test_a_running_prompt_without_a_sign_of_life_ends_as_stalled(
    engine: FakeEngine, client: ComfyClient
) -> None:
    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        told = {"status": {"exec_info": {"queue_remaining": 1}}, "sid": "c"}
        await ws.send_text(json.dumps({"type": "status", "data": told}))
        await ws.receive()

    engine.running, engine.talk = [PROMPT_ID], talk
    pace = Pace(first_s=0.05, most_s=0.1)
    async with ComfySocket(client.address, "c") as socket:
        with socket.listen(PROMPT_ID) as hint:
            following = follow(client, PROMPT_ID, hint=hint, deadline_s=60, stall_s=0.4, pace=pace)
            async with aclosing(following):
                seen = [update async for update in following]
    assert seen[0] == Started()
    assert isinstance(seen[-1], Stalled)
    assert seen[-1].running
    assert engine.paths("POST") == []


async def test_without_a_socket_only_the_deadline_ends_it(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.running = [PROMPT_ID]
    following = follow(client, PROMPT_ID, deadline_s=0.5, stall_s=0.05, pace=Pace(first_s=0.05))
    async with aclosing(following):
        seen = [update async for update in following]
    assert isinstance(seen[-1], Overdue)
