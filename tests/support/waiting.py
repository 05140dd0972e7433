"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(
    condition: Callable[[], Any], *, within_s: float = 30.0, every_s: float = 0.03
) -> Any:
    """The first truthy value of `condition`, plain or awaited. Fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {condition}")
        await asyncio.sleep(every_s)
