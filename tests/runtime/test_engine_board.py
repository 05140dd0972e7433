"""The board of engines: pauses and snapshots, read often by everyone."""

from __future__ import annotations

from contracts.engines import Pause
from contracts.subjects import ENGINES_BUCKET
from runtime.engine_board import EngineBoard
from runtime.stamp import now
from tests.support.bus import BusFactory


async def test_pauses_are_read_and_resumed_ones_are_gone(bus_factory: BusFactory) -> None:
    board = EngineBoard(await bus_factory("executor"))
    assert await board.paused() == frozenset()
    for what in ("all", "engine.comfyui-0", "lane.comfyui-s2v-fp8"):
        await board.pause(Pause(what=what, by="ops"))
    await board.resume("all")
    assert await board.paused() == {"engine.comfyui-0", "lane.comfyui-s2v-fp8"}
    assert await board.all() == {}


async def test_a_pause_says_who_when_and_why(bus_factory: BusFactory) -> None:
    board = EngineBoard(await bus_factory("executor"))
    first = Pause(what="engine.comfyui-0", by="ada", at=now(), reason="new driver")
    await board.pause(Pause(what="lane.comfyui-s2v-fp8", by="bob", at=now()))
    await board.pause(first)
    assert [p.what for p in await board.pauses()] == ["engine.comfyui-0", "lane.comfyui-s2v-fp8"]
    assert (await board.pauses())[0] == first


async def test_an_unreadable_pause_still_pauses(bus_factory: BusFactory) -> None:
    bus = await bus_factory("executor")
    await (await bus.bucket(ENGINES_BUCKET)).put("pause.all", b"paused")
    (pause,) = await EngineBoard(bus).pauses()
    assert (pause.what, pause.by, pause.at) == ("all", "unknown", None)
    assert await EngineBoard(bus).paused() == {"all"}


async def test_reading_the_board_leaves_nothing_on_the_server(bus_factory: BusFactory) -> None:
    bus = await bus_factory("executor")
    board = EngineBoard(bus)
    await board.pause(Pause(what="all", by="ops"))
    for _ in range(20):
        await board.paused()
        await board.all()
    info = await bus.jetstream.stream_info(f"KV_{ENGINES_BUCKET}")
    assert info.state.consumer_count == 0


async def test_an_unreadable_snapshot_is_left_out(bus_factory: BusFactory) -> None:
    bus = await bus_factory("executor")
    await (await bus.bucket(ENGINES_BUCKET)).put("snapshot.comfyui-0", b"no snapshot")
    assert await EngineBoard(bus).all() == {}
