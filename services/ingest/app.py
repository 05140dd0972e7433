"""Wires ingest: uploads and submitted jobs, each with its own slots. Owns construction only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from contracts.events import AssetUploaded, JobSubmitted, RetryRequested
from contracts.subjects import CONSUMERS
from runtime.ffmpeg import FfmpegMissing, ffmpeg_binary
from runtime.process import App, Runtime, Subscription
from services.ingest.adapters.derivatives import Derivatives
from services.ingest.adapters.workbench import Workbench
from services.ingest.handlers import Deps, on_asset_uploaded, on_job_submitted, on_retry_requested
from services.ingest.settings import Settings


@asynccontextmanager
async def build(runtime: Runtime) -> AsyncIterator[App]:
    """Ingest as an App."""
    settings = Settings()
    folder = settings.work_dir or runtime.shared.state_dir / "ingest"
    workbench = await asyncio.to_thread(Workbench, folder / runtime.instance)
    limits = settings.probe_limits()
    deps = Deps(
        runtime.bus,
        runtime.media,
        limits,
        workbench,
        Derivatives(runtime.media, workbench, limits, settings.normalise_deadline_s),
    )
    consumers = {consumer.durable: consumer for consumer in CONSUMERS}
    try:
        yield App(
            subscriptions=(
                Subscription(
                    consumers["ingest-assets"],
                    {AssetUploaded: partial(on_asset_uploaded, deps=deps)},
                    slots=settings.asset_slots,
                ),
                Subscription(
                    consumers["ingest-jobs"],
                    {
                        JobSubmitted: partial(on_job_submitted, deps=deps),
                        RetryRequested: partial(on_retry_requested, deps=deps),
                    },
                    slots=settings.job_slots,
                ),
            ),
            checks={"ffmpeg": _ffmpeg_check},
        )
    finally:
        await asyncio.to_thread(workbench.close)


async def _ffmpeg_check() -> str | None:
    try:
        ffmpeg_binary()
    except FfmpegMissing as missing:
        return str(missing)
    return None
