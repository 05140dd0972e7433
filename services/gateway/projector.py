"""The one projector: reads JOBS and ASSETS in stream order into the read model, in batches.

Runs under a lease in one gateway at a time. Must not publish anything.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Literal

import structlog
from prometheus_client import Gauge

from contracts.events import (
    AssetEvent,
    JobCompleted,
    JobEvent,
    StepAssigned,
    StepFinished,
    event_name,
)
from runtime.bus import Bus
from runtime.follow import Followed
from runtime.leases import Lease
from runtime.tails import BusUnavailable
from runtime.tasks import end
from services.gateway.adapters.db.engine import Database, is_away
from services.gateway.adapters.db.migrate import empty_read_model
from services.gateway.adapters.db.writing import CheckpointMoved, ReadModelWriter
from services.gateway.projection import (
    FoldedJob,
    Row,
    fold_asset,
    fold_job,
    job_row,
    new_job,
    outputs_row,
    prompt_row,
    run_rows,
)
from services.gateway.rebuilding import Rebuilder

log = structlog.get_logger()

PROJECTED = Gauge("animatrix_projected_sequence", "Last sequence in the read model", ["stream"])
BATCH = 1000
"""While there is much to catch up on, a commit for each 200 events took a quarter of the time."""
PAUSE_S = 0.5
JOBS_REMEMBERED = 2000
_Stream = Literal["JOBS", "ASSETS"]
Commit = Callable[[Sequence[Followed], int], Awaitable[None]]
"""Commits a batch that follows a checkpoint."""


class JobsProjection:
    """Turns batches of the JOBS stream into rows; remembers the jobs it saw last."""

    def __init__(self, writer: ReadModelWriter) -> None:
        """Starts with nothing remembered."""
        self._writer = writer
        self._known: OrderedDict[str, FoldedJob] = OrderedDict()

    async def commit(self, batch: Sequence[Followed], before: int) -> None:
        """Commit one batch in stream order. Raises CheckpointMoved."""
        named = {m.event.job_id for m in batch if isinstance(m.event, JobEvent)}
        jobs = {job_id: self._known[job_id] for job_id in named if job_id in self._known}
        jobs.update(await self._writer.jobs(named - jobs.keys()))
        events: list[Row] = []
        prompts: dict[str, Row] = {}
        outputs: list[Row] = []
        runs: list[Row] = []
        changed: set[str] = set()
        for message in batch:
            event = message.event
            if not isinstance(event, JobEvent):
                continue
            job, ignored = fold_job(
                jobs.get(event.job_id) or new_job(event.job_id), event, message.sequence
            )
            events.append(_event_row(message, event, ignored))
            if ignored is not None:
                log.info("event changes nothing", reason=ignored, job_id=event.job_id)
                continue
            jobs[event.job_id] = job
            changed.add(event.job_id)
            if isinstance(event, StepAssigned):
                prompts[event.comfy_prompt_id] = prompt_row(event, message.sequence)
            if isinstance(event, JobCompleted):
                outputs.append(outputs_row(event, message.sequence))
            if isinstance(event, StepFinished):
                runs += run_rows(job, event, message.sequence)
        await self._writer.commit_jobs(
            jobs=[job_row(jobs[job_id]) for job_id in sorted(changed)],
            events=events,
            prompts=list(prompts.values()),
            outputs=outputs,
            runs=runs,
            parked=_parked("JOBS", batch),
            before=before,
            after=batch[-1].sequence,
        )
        self._remember(jobs)

    def _remember(self, jobs: dict[str, FoldedJob]) -> None:
        for job_id, job in jobs.items():
            self._known[job_id] = job
            self._known.move_to_end(job_id)
        while len(self._known) > JOBS_REMEMBERED:
            self._known.popitem(last=False)


class AssetsProjection:
    """Turns batches of the ASSETS stream into rows."""

    def __init__(self, writer: ReadModelWriter) -> None:
        """Remembers nothing: an asset has few events."""
        self._writer = writer

    async def commit(self, batch: Sequence[Followed], before: int) -> None:
        """Commit one batch in stream order. Raises CheckpointMoved."""
        named = {m.event.asset_id for m in batch if isinstance(m.event, AssetEvent)}
        rows = await self._writer.assets(named)
        changed: set[str] = set()
        for message in batch:
            if isinstance(message.event, AssetEvent):
                old = rows.get(message.event.asset_id)
                new = fold_asset(old, message.event, message.sequence)
                if new is not None and new is not old:
                    rows[message.event.asset_id] = new
                    changed.add(message.event.asset_id)
        await self._writer.commit_assets(
            assets=[rows[asset_id] for asset_id in sorted(changed)],
            parked=_parked("ASSETS", batch),
            before=before,
            after=batch[-1].sequence,
        )


def _event_row(message: Followed, event: JobEvent, ignored: str | None) -> Row:
    return {
        "sequence": message.sequence,
        "job_id": event.job_id,
        "event": event_name(event),
        "event_id": event.event_id,
        "occurred_at": event.occurred_at,
        "payload": message.payload.decode(),
        "ignored": ignored,
    }


def _parked(stream: _Stream, batch: Sequence[Followed]) -> list[Row]:
    kind = JobEvent if stream == "JOBS" else AssetEvent
    found = []
    for message in batch:
        if not isinstance(message.event, kind):
            reason = message.problem or f"no event of {stream}"
            log.error("message parked", stream=stream, sequence=message.sequence, reason=reason)
            found.append(
                {
                    "stream": stream,
                    "sequence": message.sequence,
                    "subject": message.subject,
                    "reason": reason,
                }
            )
    return found


class Projector:
    """Keeps the read model at the head of both streams while it holds the lease."""

    def __init__(self, bus: Bus, database: Database, holder: str) -> None:
        """`holder` names this process in the lease."""
        self._bus = bus
        self._database = database
        self._writer = ReadModelWriter(database)
        self._rebuilder = Rebuilder(database)
        self._holder = holder

    async def run(self, stopping: asyncio.Event) -> None:
        """Project until `stopping`; waits for the lease, and again when it is lost."""
        while not stopping.is_set():
            lease = Lease(self._bus, "projector", self._holder)
            if not await _unless(stopping, lease.acquire(wait=True)):
                return
            try:
                await self._reset_if_foreign()
                if await self._rebuilder.carry_out(partial(self._refill, stopping, lease)):
                    await self._project(stopping, lease)
            except BusUnavailable as silent:
                log.warning("projecting waits for the bus", reason=str(silent))
                await asyncio.sleep(PAUSE_S)
            except Exception as trouble:
                if not is_away(trouble):
                    raise
                log.warning("projecting waits for the database", reason=repr(trouble))
                await asyncio.sleep(PAUSE_S)
            finally:
                await lease.release()

    async def _project(self, stopping: asyncio.Event, lease: Lease) -> None:
        jobs, assets = JobsProjection(self._writer), AssetsProjection(self._writer)
        work = [*await self._keep("JOBS", jobs.commit), *await self._keep("ASSETS", assets.commit)]
        asked = asyncio.create_task(self._rebuilder.asked())
        waits = [asyncio.create_task(event.wait()) for event in (stopping, lease.lost)]
        try:
            done, _ = await asyncio.wait(
                {*work, asked, *waits}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await end([*work, asked, *waits])
        for task in done.intersection({*work, asked}):
            try:
                task.result()
            except CheckpointMoved as moved:
                log.warning("another projector was at work", reason=str(moved))

    async def _refill(
        self, stopping: asyncio.Event, lease: Lease, until: Mapping[str, int]
    ) -> bool:
        """Project both streams up to these sequences; False when stopped or without the lease."""
        jobs, assets = JobsProjection(self._writer), AssetsProjection(self._writer)
        reads: list[asyncio.Task[None]] = []
        writes: list[asyncio.Task[None]] = []
        for stream, commit in (("JOBS", jobs.commit), ("ASSETS", assets.commit)):
            read, write = await self._keep(stream, commit, until[stream])
            reads.append(read)
            writes.append(write)
        written = asyncio.create_task(_all(writes))
        waits = [asyncio.create_task(event.wait()) for event in (stopping, lease.lost)]
        try:
            done, _ = await asyncio.wait(
                {written, *reads, *waits}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await end([written, *writes, *reads, *waits])
        for task in done.intersection({written, *reads}):
            try:
                task.result()
            except CheckpointMoved as moved:
                log.warning("another projector was at work", reason=str(moved))
                return False
        return written in done

    async def _reset_if_foreign(self) -> None:
        # A checkpoint beyond the stream's end was made from a stream that is gone.
        for stream in ("JOBS", "ASSETS"):
            at = await self._writer.checkpoint(stream)
            if at > (await self._bus.stream_state(stream)).last_sequence:
                log.warning("the read model belongs to another stream; rebuilding", stream=stream)
                await empty_read_model(self._database)
                return

    async def _keep(
        self, stream: str, commit: Commit, until: int | None = None
    ) -> list[asyncio.Task[None]]:
        """A task that reads the stream from its checkpoint, and one that commits what it read.

        The second one ends at the sequence `until`.
        """
        at = await self._writer.checkpoint(stream)
        waiting: asyncio.Queue[Followed] = asyncio.Queue(BATCH * 2)
        return [
            asyncio.create_task(self._read(stream, at + 1, waiting)),
            asyncio.create_task(self._write(stream, at, waiting, commit, until)),
        ]

    async def _read(self, stream: str, start: int, into: asyncio.Queue[Followed]) -> None:
        async for message in self._bus.follow(stream, start_sequence=start):
            await into.put(message)

    async def _write(
        self,
        stream: str,
        at: int,
        waiting: asyncio.Queue[Followed],
        commit: Commit,
        until: int | None,
    ) -> None:
        while until is None or at < until:
            batch = [await waiting.get()]
            while len(batch) < BATCH and not waiting.empty():
                batch.append(waiting.get_nowait())
            if until is not None:
                batch = [message for message in batch if message.sequence <= until]
                if not batch:
                    return
            await commit(batch, at)
            at = batch[-1].sequence
            PROJECTED.labels(stream).set(at)


async def _all(work: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*work)


async def _unless(stopping: asyncio.Event, work: Coroutine[None, None, bool]) -> bool:
    """The result of `work`, or False as soon as `stopping` is set."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    finished = task.done()
    await end((task, stop))
    return finished and task.result()
