"""Fixtures of the gateway's tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from services.gateway.adapters.db.engine import THREAD_NAME
from tests.support.gateway import gateway, gateway_settings, guarded, world

__all__ = ["gateway", "gateway_settings", "guarded", "world"]


def _asking() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == THREAD_NAME}


@pytest.fixture(autouse=True)
def _no_database_is_left_open() -> Iterator[None]:
    """What is left of one answers in the middle of another test, which is blamed for it."""
    before = _asking()
    yield
    assert _asking() <= before
