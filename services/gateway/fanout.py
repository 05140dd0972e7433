"""One ordered follow per gateway, fanned out in memory to every open stream.

Owns the live picture: which durable events matter to a user, and the latest progress of each job.
A slow client is cut off rather than waited for. Must not answer HTTP.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from prometheus_client import Counter, Gauge

from contracts.events import (
    AnyJobEvent,
    AssetEvent,
    JobEvent,
    JobSubmitted,
    Progress,
)
from contracts.subjects import ASSETS_STREAM, JOBS_STREAM, PROGRESS_STREAM
from runtime.bus import Bus
from runtime.tails import BusUnavailable
from runtime.tasks import end
from services.gateway.projection import FoldedJob, fold_job, fold_jobs, new_job
from services.gateway.subscriptions import Subscription, TooSlow
from services.gateway.told import Told, told

log = structlog.get_logger()

CLIENTS = Gauge("animatrix_sse_clients", "Open event streams")
CUT_OFF = Counter("animatrix_sse_cut_off", "Streams ended because the client was too slow")
CATCH_UP_S = 2.0
JOBS_REMEMBERED = 2000
_EVERYTHING = 2**63


class Fanout:
    """Follows JOBS, PROGRESS and ASSETS once and hands what matters to every subscription."""

    def __init__(self, bus: Bus) -> None:
        """Nothing is followed before `run`."""
        self._bus = bus
        self._subscriptions: dict[str | None, set[Subscription]] = {}
        self._jobs: OrderedDict[str, FoldedJob] = OrderedDict()
        self._progress: OrderedDict[str, Progress] = OrderedDict()
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._asset_waits: dict[str, asyncio.Event] = {}
        self.following = asyncio.Event()
        self._moved = asyncio.Event()
        self.last_sequence = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until `stopping`; then end every stream."""
        self.last_sequence = (await self._bus.stream_state(JOBS_STREAM)).last_sequence
        tasks = [
            asyncio.create_task(self._follow_jobs(self.last_sequence + 1)),
            asyncio.create_task(self._follow_progress()),
            asyncio.create_task(self._follow_assets()),
            asyncio.create_task(stopping.wait()),
        ]
        self.following.set()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end(tasks)
            for subscription in [s for some in self._subscriptions.values() for s in some]:
                self.end(subscription)

    async def _follow_jobs(self, start: int) -> None:
        async for message in self._bus.follow(JOBS_STREAM, start_sequence=start):
            if isinstance(message.event, JobEvent):
                event: AnyJobEvent = message.event
                item = await self._judge(event, message.sequence)
                if item is not None:
                    self._hand_out(item, item.owner)
            self.last_sequence = message.sequence
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()

    async def _judge(self, event: AnyJobEvent, sequence: int) -> Told | None:
        job = self._jobs.get(event.job_id)
        if job is None:
            first = isinstance(event, JobSubmitted)
            job = new_job(event.job_id) if first else await self._before(event.job_id, sequence)
        job, ignored = fold_job(job, event, sequence)
        self._jobs[event.job_id] = job
        self._jobs.move_to_end(event.job_id)
        while len(self._jobs) > JOBS_REMEMBERED:
            self._jobs.popitem(last=False)
        if job.state.submitted is not None:
            self._remember_owner(event.job_id, job.state.submitted.owner)
        if job.state.ended:
            self._progress.pop(event.job_id, None)
        return None if ignored else told(event, sequence, job.state)

    async def _before(self, job_id: str, sequence: int) -> FoldedJob:
        """The job as it was before a sequence; waits out an outage of the bus."""
        while True:
            try:
                tail = await self._bus.job(job_id)
            except BusUnavailable as silent:
                log.warning("the bus does not answer", reason=str(silent))
                await asyncio.sleep(0.5)
                continue
            pairs = zip(tail.sequences, tail.events, strict=True)
            return fold_jobs(job_id, [pair for pair in pairs if pair[0] < sequence])

    def _remember_owner(self, job_id: str, owner: str) -> None:
        self._owners[job_id] = owner
        self._owners.move_to_end(job_id)
        while len(self._owners) > JOBS_REMEMBERED:
            self._owners.popitem(last=False)

    async def _owner_of(self, job_id: str) -> str | None:
        """Whose a job is, also one that was submitted before this gateway started."""
        if job_id not in self._owners:
            submitted = (await self._before(job_id, _EVERYTHING)).state.submitted
            if submitted is None:
                return None
            self._remember_owner(job_id, submitted.owner)
        return self._owners[job_id]

    async def _follow_progress(self) -> None:
        async for message in self._bus.follow(PROGRESS_STREAM):
            progress = message.event
            if not isinstance(progress, Progress):
                continue
            job = self._jobs.get(progress.job_id)
            if job is not None and job.state.ended:
                continue
            owner = await self._owner_of(progress.job_id)
            if owner is None:
                continue
            self._progress[progress.job_id] = progress
            self._progress.move_to_end(progress.job_id)
            while len(self._progress) > JOBS_REMEMBERED:
                self._progress.popitem(last=False)
            self._hand_out(progress, owner)

    async def _follow_assets(self) -> None:
        async for message in self._bus.follow(ASSETS_STREAM):
            if isinstance(message.event, AssetEvent):
                waiting = self._asset_waits.pop(message.event.asset_id, None)
                if waiting is not None:
                    waiting.set()

    def _hand_out(self, item: Told | Progress, owner: str) -> None:
        one, everyone = self._subscriptions.get(item.job_id), self._subscriptions.get(None)
        now_s = asyncio.get_running_loop().time()
        for subscription in [*(one or ()), *(everyone or ())]:
            if subscription.owner not in (None, owner):
                continue
            try:
                subscription.hear(item, now_s)
            except TooSlow:
                log.warning("stream cut off: the client is too slow")
                CUT_OFF.inc()
                self.end(subscription)

    def end(self, subscription: Subscription) -> None:
        """Cut a subscription off: its client gets nothing more, and may come again."""
        self._leave(subscription)
        subscription.end()

    def _leave(self, subscription: Subscription) -> None:
        some = self._subscriptions.get(subscription.job_id, set())
        some.discard(subscription)
        if not some:
            self._subscriptions.pop(subscription.job_id, None)

    @contextmanager
    def subscribed(self, job_id: str | None, owner: str | None) -> Iterator[Subscription]:
        """A subscription to one job or to all (None), of one owner or of all (None)."""
        subscription = Subscription(job_id, owner)
        self._subscriptions.setdefault(job_id, set()).add(subscription)
        CLIENTS.inc()
        try:
            yield subscription
        finally:
            CLIENTS.dec()
            self._leave(subscription)

    async def begun(self) -> None:
        """Wait until the streams are followed, at most two seconds: a moment after the start."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.following.wait(), CATCH_UP_S)

    async def caught_up(self, sequence: int) -> None:
        """Wait until the live picture includes a sequence of JOBS, at most two seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_S):
                while self.last_sequence < sequence:
                    await self._moved.wait()

    def job(self, job_id: str) -> FoldedJob | None:
        """A job as the live picture has it; None when nothing was said of it lately."""
        return self._jobs.get(job_id)

    def jobs_of(self, owner: str) -> tuple[set[str], set[str]]:
        """Ids of an owner's jobs in the live picture: those going on, and those over."""
        going, over = set[str](), set[str]()
        for job_id, job in self._jobs.items():
            state = job.state
            if state.submitted is not None and state.submitted.owner == owner:
                (over if state.ended or state.deleted else going).add(job_id)
        return going, over

    async def heard_of(self, job_id: str) -> None:
        """Wait until the live picture knows a job, at most two seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_S):
                while job_id not in self._jobs:
                    await self._moved.wait()

    def progress_of(self, job_id: str) -> Progress | None:
        """The latest progress of a running job, if any came since this gateway started."""
        return self._progress.get(job_id)

    def progress_of_all(self, owner: str | None) -> list[Progress]:
        """The latest progress of every running job of one owner, or of all (None)."""
        return [p for p in self._progress.values() if owner in (None, self._owners.get(p.job_id))]

    async def asset_news(self, asset_id: str, within_s: float) -> None:
        """Wait until something is said of an asset, at most `within_s` seconds."""
        event = self._asset_waits.setdefault(asset_id, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), within_s)
        except TimeoutError:
            self._asset_waits.pop(asset_id, None)
