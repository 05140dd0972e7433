"""Says where a test stood that ran into its time limit: what each open task was waiting for.

Owns the account, which pytest shows last of all. Must not end or change anything.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, FrameType
from typing import Any

import pytest

TITLE = "what every task was waiting for"
BEFORE_LIMIT_S = 5.0
_ACCOUNT = pytest.StashKey[list[str]]()


def _awaited(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """The frames from the task's own coroutine to where it waits."""
    inner: Any = task.get_coro()
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "ag_frame", None)
        if frame is not None:
            yield frame
        inner = _below(inner)


def _below(waiting: Any) -> Any:
    for name in ("cr_await", "ag_await"):
        if (inner := getattr(waiting, name, None)) is not None:
            return inner
    # A step of an async generator does not say whose step it is.
    steps = gc.get_referents(waiting) if type(waiting).__name__.startswith("async_gen") else ()
    return next((one for one in steps if isinstance(one, AsyncGeneratorType)), None)


def account(loop_tasks: set[asyncio.Task[Any]]) -> str:
    """A line for each open task: its name, then file:line of every call on its way down."""
    lines = []
    for task in loop_tasks:
        if task.done() or not isinstance(task.get_coro(), CoroutineType):
            continue
        places = (
            f"{Path(f.f_code.co_filename).name}:{f.f_lineno} {f.f_code.co_name}"
            for f in _awaited(task)
        )
        lines.append(f"{task.get_name()}: {' > '.join(places)}")
    return "\n".join(sorted(lines))


def _every_task() -> set[asyncio.Task[Any]]:
    # Of every loop: this is asked from a thread beside the stuck one.
    known: Any = asyncio.tasks._all_tasks  # type: ignore[attr-defined]
    return set(known)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Take the account shortly before a test's time is up, while it still stands there."""
    limit_s = float(item.config.getoption("timeout") or item.config.getini("timeout") or 0)
    told: list[str] = item.stash.setdefault(_ACCOUNT, [])
    watch = threading.Timer(
        max(1.0, limit_s - BEFORE_LIMIT_S), lambda: told.append(account(_every_task()))
    )
    watch.daemon = True
    watch.start()
    try:
        return (yield)
    finally:
        watch.cancel()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the account into the report of a phase that failed; it travels to the controller."""
    report = yield
    told = item.stash.get(_ACCOUNT, [])
    if report.failed and told:
        report.sections.append((TITLE, told[-1]))
    return report


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Show every account once more at the very end, where a cut log still has it."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    for outcome in ("failed", "error"):
        for report in reporter.stats.get(outcome, []):
            for title, text in getattr(report, "sections", []):
                if title == TITLE:
                    reporter.write_line(f"{report.nodeid}: {TITLE}\n{text}")
