"""Ends tasks for certain, and runs work side by side without leaving any of it behind.

Owns one rule: a cancel is repeated until the task is over. On Python 3.11 `asyncio.wait_for`
swallows a cancel that arrives together with its result, and the bus client waits that way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar, overload

CANCEL_EVERY_S = 0.5

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels the tasks until all are over; what they raise is left in them."""
    open_tasks = {task for task in tasks if not task.done()}
    while open_tasks:
        for task in open_tasks:
            task.cancel()
        _, open_tasks = await asyncio.wait(open_tasks, timeout=CANCEL_EVERY_S)


@overload
async def side_by_side(
    first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], /
) -> tuple[A, B]: ...
@overload
async def side_by_side(
    first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], third: Coroutine[Any, Any, C], /
) -> tuple[A, B, C]: ...
@overload
async def side_by_side(
    first: Coroutine[Any, Any, A],
    second: Coroutine[Any, Any, B],
    third: Coroutine[Any, Any, C],
    fourth: Coroutine[Any, Any, D],
    /,
) -> tuple[A, B, C, D]: ...
@overload
async def side_by_side(*work: Coroutine[Any, Any, A]) -> tuple[A, ...]: ...
async def side_by_side(*work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """The results in the order of the work. What is raised first is raised; the rest is over then,
    which `asyncio.gather` does not promise."""
    running = [asyncio.create_task(one) for one in work]
    try:
        return tuple(await asyncio.gather(*running))
    finally:
        await end(running)
