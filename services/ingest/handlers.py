"""What ingest does with an upload and with a submitted job.

Owns the order of effects: files first, then the event that tells of them. Must not decode.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from contracts import keys
from contracts.base import StoredFile
from contracts.errors import ErrorCode, ErrorInfo, error_info
from contracts.events import (
    AssetReady,
    AssetRejected,
    AssetUploaded,
    JobFailed,
    JobSubmitted,
    MediaPrepared,
    RetryRequested,
)
from contracts.lifecycle import JobState
from contracts.media import AudioFacts, MediaFacts, MediaOrder, PreparedMedia, VideoFacts, recipe_id
from contracts.plan import JobPlan
from runtime import tasks
from runtime.bus import Bus
from runtime.media_store import MediaMissing, MediaStore
from runtime.outcome import Ack, Outcome, Retry
from runtime.probe import ProbeLimits, SandboxBroken, probe_media
from runtime.sniff import FileRefused
from runtime.stamp import stamp
from runtime.telemetry import job_context, span
from services.ingest.adapters.derivatives import Derivative, Derivatives
from services.ingest.adapters.workbench import Workbench
from services.ingest.metrics import ASSETS, PROBE_SECONDS

log = structlog.get_logger()

_CHECKS_PER_DEADLINE = 10
"""A job asks this often for an asset within the time that checking may take, so that it does not
run out of deliveries (contracts.subjects) before the asset is decided."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What the handlers need."""

    bus: Bus
    media: MediaStore
    limits: ProbeLimits
    workbench: Workbench
    derivatives: Derivatives


@dataclass(frozen=True, slots=True)
class _Source:
    """An asset that is fit for use: where it lies and whether it sounds."""

    key: str
    has_audio: bool


class _AssetUnusable(Exception):
    """A job names an asset that cannot be used; the error is what the job fails with."""

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__(error.detail)
        self.error = error


class _AssetUndecided(Exception):
    """A job names an asset that is still being checked."""


async def on_asset_uploaded(event: AssetUploaded, deps: Deps) -> Outcome:
    """Prove the file, keep a thumbnail, and say ready or rejected. Twice is once."""
    tail = await deps.bus.asset(event.asset_id)
    if any(isinstance(e, (AssetReady, AssetRejected)) for e in tail.events):
        return Ack()
    started = time.monotonic()
    try:
        with span("ingest.probe", kind_declared=event.kind, size_bytes=event.file.size_bytes):
            facts, thumbnail = await _proved(event, deps)
    except FileRefused as refusal:
        return await _reject(event, refusal.error_info(), deps)
    except MediaMissing as gone:
        error = error_info(ErrorCode.UPLOAD_INCOMPLETE, detail=f"not in the store: {gone}")
        return await _reject(event, error, deps)
    except SandboxBroken as broken:
        return await _reject(event, error_info(ErrorCode.INTERNAL, detail=str(broken)), deps)
    PROBE_SECONDS.labels(event.kind).observe(time.monotonic() - started)
    await deps.bus.publish(
        AssetReady(**stamp(event), asset_id=event.asset_id, facts=facts, thumbnail=thumbnail)
    )
    ASSETS.labels(event.kind, "ready").inc()
    return Ack()


async def _proved(event: AssetUploaded, deps: Deps) -> tuple[MediaFacts, StoredFile]:
    with deps.workbench.place() as folder:
        small = folder / "thumbnail.jpg"
        async with deps.media.local_path(event.file.key) as path:
            try:
                probed = await probe_media(path, limits=deps.limits, thumbnail=small)
            except SandboxBroken as broken:
                log.warning("the decoder ended oddly, once more", reason=str(broken))
                probed = await probe_media(path, limits=deps.limits, thumbnail=small)
        if probed.kind != event.kind:
            raise FileRefused(
                ErrorCode.FILE_CONTENT_MISMATCH, f"sent as {event.kind}, but it is {probed.kind}"
            )
        thumbnail = await deps.media.put_file(keys.asset_thumbnail(event.file.sha256), small)
    return probed.facts, thumbnail


async def _reject(event: AssetUploaded, error: ErrorInfo, deps: Deps) -> Outcome:
    log.info("asset rejected", code=error.code, detail=error.detail)
    await deps.bus.publish(AssetRejected(**stamp(event), asset_id=event.asset_id, error=error))
    ASSETS.labels(event.kind, error.code).inc()
    return Ack()


async def on_job_submitted(event: JobSubmitted, deps: Deps) -> Outcome:
    """Provide every medium that the plan orders, then say so. Ended jobs are left alone."""
    return await _provide(event, event.plan, deps)


async def on_retry_requested(event: RetryRequested, deps: Deps) -> Outcome:
    """Provide the media of a job that failed before it had them; leave other retries alone."""
    submitted = (await deps.bus.job(event.job_id)).state.submitted
    if submitted is None:
        return Ack()
    return await _provide(event, submitted.plan, deps)


async def _provide(event: JobSubmitted | RetryRequested, plan: JobPlan, deps: Deps) -> Outcome:
    prepared = await _at_hand(plan, deps)
    if prepared is None:
        if not _awaits_media((await deps.bus.job(event.job_id)).state):
            return Ack()
        try:
            # All of them first: what is being made must not be cut short by another's trouble.
            sources = await tasks.side_by_side(*(_source(order, deps) for order in plan.media))
            pairs = zip(plan.media, sources, strict=True)
            prepared = await tasks.side_by_side(*(_provided(o, s, deps) for o, s in pairs))
        except _AssetUnusable as unusable:
            return await _fail(event, unusable.error, deps)
        except _AssetUndecided as undecided:
            delay_s = deps.limits.deadline_s / _CHECKS_PER_DEADLINE
            return Retry(delay_s, str(undecided))
    done = MediaPrepared(**stamp(event), job_id=event.job_id, prepared=prepared)
    await deps.bus.decide(event.job_id, lambda state: done if _awaits_media(state) else None)
    return Ack()


async def _at_hand(plan: JobPlan, deps: Deps) -> tuple[PreparedMedia, ...] | None:
    """Every medium, when all of them were made before: the usual case. Else None.

    What lies under the content's hash was proved when it was made; its asset need not be asked
    about again.
    """

    async def one(order: MediaOrder) -> PreparedMedia | None:
        found = await deps.derivatives.find(order.asset_sha256, recipe_id(order.recipe))
        return None if found is None else _prepared(order, found, reused=True)

    found = await tasks.side_by_side(*map(one, plan.media))
    there = tuple(medium for medium in found if medium is not None)
    return there if len(there) == len(plan.media) else None


async def _provided(order: MediaOrder, source: _Source, deps: Deps) -> PreparedMedia:
    with job_context(asset_id=order.asset_id), span("ingest.normalise", role=order.role):
        return await _prepare(order, source, deps)


def _awaits_media(state: JobState) -> bool:
    return not state.deleted and state.state == "accepted"


async def _prepare(order: MediaOrder, source: _Source, deps: Deps) -> PreparedMedia:
    try:
        derivative, reused = await deps.derivatives.provide(
            order, source.key, source_has_audio=source.has_audio
        )
    except FileRefused as refusal:
        error = error_info(refusal.code, field=order.role, detail=refusal.detail)
        raise _AssetUnusable(error) from refusal
    except MediaMissing as gone:
        raise _unknown(order, f"the file of asset {order.asset_id} is gone: {gone}") from gone
    return _prepared(order, derivative, reused=reused)


def _prepared(order: MediaOrder, derivative: Derivative, *, reused: bool) -> PreparedMedia:
    log.info("medium prepared", role=order.role, recipe=order.recipe.kind, reused=reused)
    return PreparedMedia(
        role=order.role,
        index=order.index,
        asset_id=order.asset_id,
        asset_sha256=order.asset_sha256,
        recipe_id=recipe_id(order.recipe),
        file=derivative.file,
        facts=derivative.facts,
        reused=reused,
    )


async def _source(order: MediaOrder, deps: Deps) -> _Source:
    tail = await deps.bus.asset(order.asset_id)
    uploaded = next((e for e in tail.events if isinstance(e, AssetUploaded)), None)
    if uploaded is None or uploaded.file.sha256 != order.asset_sha256:
        raise _unknown(order, f"asset {order.asset_id} is unknown or has other content")
    for event in tail.events:
        if isinstance(event, AssetRejected):
            raise _AssetUnusable(
                error_info(
                    ErrorCode.ASSET_REJECTED,
                    remedy=event.error.remedy,
                    field=order.role,
                    detail=f"{event.error.code}: {event.error.detail}",
                )
            )
        if isinstance(event, AssetReady):
            return _Source(uploaded.file.key, _sounds(event.facts))
    raise _AssetUndecided(f"asset {order.asset_id} is still being checked")


def _sounds(facts: MediaFacts) -> bool:
    return isinstance(facts, AudioFacts) or (isinstance(facts, VideoFacts) and facts.has_audio)


def _unknown(order: MediaOrder, detail: str) -> _AssetUnusable:
    return _AssetUnusable(error_info(ErrorCode.ASSET_UNKNOWN, field=order.role, detail=detail))


async def _fail(event: JobSubmitted | RetryRequested, error: ErrorInfo, deps: Deps) -> Outcome:
    log.info("job failed in ingest", code=error.code, detail=error.detail)

    def failed(state: JobState) -> JobFailed | None:
        if not _awaits_media(state):
            return None
        return JobFailed(
            **stamp(event),
            job_id=event.job_id,
            service="ingest",
            error=error,
            attempt=state.attempt,
        )

    await deps.bus.decide(event.job_id, failed)
    return Ack()
