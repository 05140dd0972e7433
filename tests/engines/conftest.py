"""Fixtures of the engine tests: one scripted engine and one client of it per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from engines.comfyui import Backoff, ComfyClient, EngineAddress
from tests.engines.fake_engine import FakeEngine


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine().up() as running:
        yield running


@pytest.fixture
async def client(engine: FakeEngine) -> AsyncIterator[ComfyClient]:
    async with ComfyClient(EngineAddress(engine.url), backoff=Backoff(0.01, 0.02)) as opened:
        yield opened
