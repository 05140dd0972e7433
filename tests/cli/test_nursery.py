"""The process that forks the others: what a child gets, how its end is told, what a kill does."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cli.nursery import Nursery
from cli.processes import ProcessRecord, is_ours, start_time_of
from tests.support.waiting import eventually

PROGRAM = "tests.cli.forked_program"
ENV = {"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest_asyncio.fixture
async def nursery(tmp_path: Path) -> AsyncIterator[Nursery]:
    made = Nursery(("colorsys",), ENV, tmp_path / "nursery.log")
    yield made
    await made.stop()


async def said(log: Path) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        lines = log.read_text().splitlines() if log.exists() else []
        return json.loads(lines[-1]) if lines else None

    found: dict[str, Any] = await eventually(there)
    return found


async def test_a_child_has_its_own_environment_log_session_and_name(
    nursery: Nursery, tmp_path: Path
) -> None:
    log = tmp_path / "child.log"
    child = await nursery.fork((PROGRAM, "0"), {"ONLY": "this"}, log)
    assert await child.wait() == 0
    found = await said(log)
    assert found["env"].items() >= {"ONLY": "this"}.items()
    assert "PYTHONPATH" not in found["env"]
    assert found["session"]
    assert found["loaded"]
    assert found["arguments"] == ["0"]
    assert found["command"] == f"{sys.executable} -m {PROGRAM} 0"


async def test_how_a_child_ended_is_told(nursery: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    failed = await nursery.fork((PROGRAM, "3"), ENV, log)
    killed = await nursery.fork((PROGRAM, "0", "stay"), ENV, log)
    missing = await nursery.fork(("tests.cli.no_such_program",), ENV, tmp_path / "missing.log")
    assert await failed.wait() == 3
    assert killed.returncode is None
    killed.terminate()
    assert await killed.wait() == -signal.SIGTERM
    assert await missing.wait() == 1
    assert "no_such_program" in (tmp_path / "missing.log").read_text()


async def test_a_child_left_behind_is_recognised(nursery: Nursery, tmp_path: Path) -> None:
    argv = (PROGRAM, "0", "stay")
    child = await nursery.fork(argv, ENV, tmp_path / "child.log")
    await said(tmp_path / "child.log")
    started = start_time_of(child.pid) or ""
    assert is_ours(ProcessRecord(child.pid, started, (sys.executable, "-m", *argv)))
    assert not is_ours(ProcessRecord(child.pid, started, (sys.executable, "-m", "another")))


async def test_children_go_with_a_killed_nursery_and_the_next_starts_another(
    nursery: Nursery, tmp_path: Path
) -> None:
    log = tmp_path / "child.log"
    child = await nursery.fork((PROGRAM, "0", "stay"), ENV, log)
    await said(log)
    parent = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL
    await eventually(lambda: _gone(child.pid))
    again = await nursery.fork((PROGRAM, "4"), ENV, log)
    assert await again.wait() == 4


async def test_a_nursery_that_cannot_load_its_modules_refuses(tmp_path: Path) -> None:
    log = tmp_path / "nursery.log"
    broken = Nursery(("no_such_module_of_ours",), ENV, log)
    with pytest.raises(OSError, match=r"nursery\.log"):
        await broken.fork((PROGRAM, "0"), ENV, tmp_path / "child.log")
    assert "no_such_module_of_ours" in log.read_text()
    await broken.stop()


async def _gone(pid: int) -> bool:
    return start_time_of(pid) is None
