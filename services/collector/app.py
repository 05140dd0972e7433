"""Wires the collector: its subscription, its handler and what that needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from contracts.events import ExecutionFinished, RetryRequested
from contracts.subjects import CONSUMERS
from runtime.ffmpeg import FfmpegMissing, ffmpeg_binary
from runtime.health import Check
from runtime.process import App, Runtime, Subscription
from runtime.stamp import now
from services.collector.adapters.signing import problem_of
from services.collector.handlers import Deps, on_execution_finished, on_retry_requested
from services.collector.settings import Settings

CONSUMER = next(consumer for consumer in CONSUMERS if consumer.service == "collector")


@asynccontextmanager
async def build(runtime: Runtime) -> AsyncIterator[App]:
    """The collector on this runtime."""
    settings = Settings()
    if settings.work_dir is not None:
        await asyncio.to_thread(partial(settings.work_dir.mkdir, parents=True, exist_ok=True))
    deps = Deps(
        bus=runtime.bus,
        media=runtime.media,
        settings=settings,
        made_by=f"animatrix {version('animatrix')}",
    )
    yield App(
        subscriptions=(
            Subscription(
                consumer=CONSUMER,
                handlers={
                    ExecutionFinished: partial(on_execution_finished, deps=deps),
                    RetryRequested: partial(on_retry_requested, deps=deps),
                },
                slots=settings.slots,
            ),
        ),
        checks={"ffmpeg": _ffmpeg_check, **_credentials_checks(settings)},
    )


async def _ffmpeg_check() -> str | None:
    try:
        ffmpeg_binary()
    except FfmpegMissing as missing:
        return str(missing)
    return None


def _credentials_checks(settings: Settings) -> dict[str, Check]:
    signer = settings.signer
    if signer is None:
        return {}

    async def check() -> str | None:
        return await asyncio.to_thread(problem_of, signer, now())

    return {"credentials": check}
