"""Wires the composer: its subscription, its handlers and what they need."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from contracts.events import MediaPrepared, RetryRequested
from contracts.subjects import CONSUMERS
from planning.registry import load_workflows
from runtime.process import App, Runtime, Subscription
from services.composer.handlers import Deps, on_media_prepared, on_retry_requested
from services.composer.settings import Settings

CONSUMER = next(consumer for consumer in CONSUMERS if consumer.service == "composer")


@asynccontextmanager
async def build(runtime: Runtime) -> AsyncIterator[App]:
    """The composer on this runtime. Raises WorkflowCorrupt when a released workflow changed."""
    settings = Settings()
    deps = Deps(bus=runtime.bus, media=runtime.media, workflows=load_workflows())
    yield App(
        subscriptions=(
            Subscription(
                consumer=CONSUMER,
                handlers={
                    MediaPrepared: partial(on_media_prepared, deps=deps),
                    RetryRequested: partial(on_retry_requested, deps=deps),
                },
                slots=settings.slots,
            ),
        ),
    )
