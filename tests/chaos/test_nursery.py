"""Processes that are forked with their program loaded live and die like any other."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from cli.nursery import Nursery
from tests.chaos.parts import SIMULATOR, Engine, kept
from tests.support.waiting import eventually


async def test_a_forked_engine_is_killed_and_comes_back_and_ends_with_its_nursery(
    tmp_path: Path,
) -> None:
    nursery = Nursery((f"{SIMULATOR}.app",), os.environ, tmp_path / "nursery.log")
    try:
        engine = Engine("engine", tmp_path / "engine", 0.0, nursery)
        async with kept(engine):
            await eventually(engine.answers)
            first = engine.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await eventually(lambda: engine.pid not in (None, first))
            await eventually(engine.answers)
        assert engine.pid is None
        assert [line["event"] for line in engine.journal()] == ["boot", "boot"]
        left = await nursery.fork(engine._argv, engine._env, tmp_path / "left.log")
        await eventually(engine.answers)
    finally:
        await nursery.stop()
    assert await left.wait() == -signal.SIGKILL
    assert not await engine.answers()
