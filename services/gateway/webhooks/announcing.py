"""Reads JOBS and writes down what is to be delivered to whom; the other half sends it.

Owns what a delivery says. Must not send anything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args
from uuid import NAMESPACE_URL, uuid5

import structlog

from contracts.events import JobEvent
from contracts.lifecycle import PublicState
from contracts.subjects import JOBS_STREAM
from runtime.bus import Bus
from runtime.follow import Followed
from runtime.stamp import now
from services.gateway.adapters.db.webhooks import Webhook, WebhookStore
from services.gateway.projection import FoldedJob, fold_job, fold_jobs
from services.gateway.told import Told, told

log = structlog.get_logger()
EVENTS: tuple[str, ...] = tuple(f"job.{name}" for name in (*get_args(PublicState), "deleted"))
"""What a webhook can ask for: the states a job reaches, and its removal."""
BATCH = 200
GATHER_S = 0.1
NOTED_EVERY_S = 10.0
"""How often the place in JOBS is written down while nobody has a webhook: a gateway that takes over
reads what came since once more, and a webhook made meanwhile asks for none of it."""


def delivery_id(webhook_id: str, sequence: int) -> str:
    """The webhook-id of a delivery: the same however often it is made or sent."""
    return f"msg_{uuid5(NAMESPACE_URL, f'animatrix:{webhook_id}:{sequence}').hex}"


def payload(item: Told) -> str:
    """The body, after the Standard Webhooks specification: type, timestamp, data."""
    data: dict[str, Any] = {
        "job_id": item.job_id,
        "status": item.status,
        "mode": item.mode,
        "sequence": item.sequence,
    }
    if item.error is not None:
        data["error"] = item.error
    if item.name == "completed":
        data["outputs_url"] = f"/api/jobs/{item.job_id}/outputs"
    body = {"type": f"job.{item.name}", "timestamp": item.at.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":"))


def rows(item: Told, webhooks: Sequence[Webhook], attempts: int, at: datetime) -> list[Any]:
    """The deliveries that an event makes, one for each webhook of its owner that wants it."""
    return [
        {
            "delivery_id": delivery_id(webhook.webhook_id, item.sequence),
            "webhook_id": webhook.webhook_id,
            "job_id": item.job_id,
            "event": f"job.{item.name}",
            "sequence": item.sequence,
            "payload": payload(item),
            "status": "pending",
            "attempts": 0,
            "attempts_left": attempts,
            "next_attempt_at": at,
            "created_at": at,
        }
        for webhook in webhooks
        if webhook.owner == item.owner
        and f"job.{item.name}" in webhook.events
        and item.sequence > webhook.created_sequence
    ]


class Announcer:
    """Turns the stream into deliveries, from where it was left."""

    def __init__(self, bus: Bus, store: WebhookStore, attempts: int) -> None:
        """Every delivery gets so many attempts."""
        self._bus = bus
        self._store = store
        self._attempts = attempts

    async def run(self) -> None:
        """Announce for ever. Raises CheckpointMoved when another gateway does, BusUnavailable."""
        at = await self._place()
        waiting: asyncio.Queue[Followed] = asyncio.Queue(BATCH * 2)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(at + 1, waiting))
            group.create_task(self._write(at, waiting))

    async def _place(self) -> int:
        last = (await self._bus.stream_state(JOBS_STREAM)).last_sequence
        at = await self._store.progress()
        if at is None:
            # Nothing was announced yet: news is what came since the first webhook was made.
            made = [webhook.created_sequence for webhook in await self._store.all()]
            at = min([last, *made])
            await self._store.begin_at(at)
        elif at > last:
            # The stream is another one: only what comes is news.
            at = last
            await self._store.begin_at(at)
        return at

    async def _read(self, start: int, into: asyncio.Queue[Followed]) -> None:
        async for message in self._bus.follow(JOBS_STREAM, start_sequence=start):
            await into.put(message)

    async def _write(self, at: int, waiting: asyncio.Queue[Followed]) -> None:
        clock = asyncio.get_running_loop().time
        noted_s = clock()
        while True:
            batch = [await waiting.get()]
            await asyncio.sleep(GATHER_S)
            while len(batch) < BATCH and not waiting.empty():
                batch.append(waiting.get_nowait())
            webhooks = await self._store.all()
            made = await self._deliveries(batch, [one for one in webhooks if one.enabled])
            if not webhooks and clock() - noted_s < NOTED_EVERY_S:
                continue
            await self._store.announce(made, at, batch[-1].sequence)
            at, noted_s = batch[-1].sequence, clock()

    async def _deliveries(
        self, batch: Sequence[Followed], webhooks: Sequence[Webhook]
    ) -> list[Any]:
        if not webhooks:
            return []
        made: list[Any] = []
        jobs: dict[str, FoldedJob] = {}
        for message in batch:
            event = message.event
            if not isinstance(event, JobEvent):
                continue
            job = jobs.get(event.job_id)
            if job is None:
                tail = await self._bus.job(event.job_id)
                pairs = zip(tail.sequences, tail.events, strict=True)
                job = fold_jobs(event.job_id, [p for p in pairs if p[0] < message.sequence])
            jobs[event.job_id], ignored = fold_job(job, event, message.sequence)
            state = jobs[event.job_id].state
            item = None if ignored else told(event, message.sequence, state)
            if item is not None:
                made += rows(item, webhooks, self._attempts, now())
        return made
