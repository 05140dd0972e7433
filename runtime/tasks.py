"""Ends tasks for certain.

Owns one rule: a cancel is repeated until the task is over. On Python 3.11 `asyncio.wait_for`
swallows a cancel that arrives together with its result, and the bus client waits that way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

CANCEL_EVERY_S = 0.5


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels the tasks until all are over; what they raise is left in them."""
    open_tasks = {task for task in tasks if not task.done()}
    while open_tasks:
        for task in open_tasks:
            task.cancel()
        _, open_tasks = await asyncio.wait(open_tasks, timeout=CANCEL_EVERY_S)
