"""Pause and resume through the API: what, who, when, and what is refused."""

from __future__ import annotations

import pytest

from runtime.engine_board import EngineBoard
from tests.support.bus import TEST_LANES
from tests.support.gateway import World, board_with_engine


async def test_a_pause_is_told_with_who_when_and_why_and_can_be_undone(world: World) -> None:
    await board_with_engine(world)
    asked = {"engine_id": "comfyui-0", "reason": "new driver"}
    answer = await world.http.post("/api/admin/queue/pause", json=asked)
    assert answer.status_code == 200, answer.text
    await world.http.post("/api/admin/queue/pause", json={"lane": TEST_LANES[0]})
    await world.http.post("/api/admin/queue/pause", json={})
    report = (await world.http.get("/api/admin/queue")).json()
    assert report["paused"] == ["all", "engine.comfyui-0", f"lane.{TEST_LANES[0]}"]
    engine = report["pauses"][1]
    assert (engine["by"], engine["reason"]) == ("local", "new driver")
    assert engine["at"]
    board = EngineBoard(world.buses["executor"])
    assert await board.paused() == set(report["paused"])
    left = await world.http.post("/api/admin/queue/resume", json={"engine_id": "comfyui-0"})
    assert [p["what"] for p in left.json()["pauses"]] == ["all", f"lane.{TEST_LANES[0]}"]
    await world.http.post("/api/admin/queue/resume", json={})
    await world.http.post("/api/admin/queue/resume", json={"lane": TEST_LANES[0]})
    assert await board.paused() == frozenset()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"engine_id": "nowhere"}, 404),
        ({"lane": "comfyui-nothing-fp8"}, 404),
        ({"engine_id": "a", "lane": "b"}, 422),
        ({"engine_id": "all.>"}, 422),
        ({"everything": True}, 422),
    ],
)
async def test_what_cannot_be_paused_is_refused(
    world: World, body: dict[str, object], status: int
) -> None:
    answer = await world.http.post("/api/admin/queue/pause", json=body)
    assert answer.status_code == status, answer.text
    assert (await world.http.get("/api/admin/queue")).json()["pauses"] == []


async def test_resuming_what_is_not_paused_is_no_error(world: World) -> None:
    answer = await world.http.post("/api/admin/queue/resume", json={"engine_id": "gone-meanwhile"})
    assert (answer.status_code, answer.json()) == (200, {"pauses": []})
