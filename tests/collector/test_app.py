"""How the collector is wired."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contracts.events import ExecutionFinished, RetryRequested
from runtime.media_store_local import LocalMediaStore
from runtime.process import Runtime
from runtime.settings import SharedSettings
from services.collector.app import build
from tests.support.bus import BusFactory


async def test_the_collector_takes_finished_executions_and_retries_and_needs_ffmpeg(
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANIMATRIX_COLLECTOR_SLOTS", "3")
    monkeypatch.setenv("ANIMATRIX_COLLECTOR_WORK_DIR", str(tmp_path / "work" / "collector"))
    bus = await bus_factory("collector")
    runtime = Runtime("collector", SharedSettings(), bus, media_store, asyncio.Event(), "c-1")
    async with build(runtime) as app:
        (subscription,) = app.subscriptions
        assert set(subscription.handlers) == {ExecutionFinished, RetryRequested}
        assert subscription.consumer.durable == "collector-jobs"
        assert subscription.slots == 3
        assert await app.checks["ffmpeg"]() is None
        assert (tmp_path / "work" / "collector").is_dir()
