"""The life of one engine in this process: lease, probe, and steps pulled while there is room.

Owns when work is fetched and when it is given back. What a step needs is the handlers' affair.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from functools import partial

import structlog

from contracts.events import StepReady
from runtime import tasks
from runtime.delivery import SHUTDOWN_NAK_DELAY_S, Delivery
from runtime.stamp import now
from runtime.tails import BusUnavailable
from runtime.work import handle
from services.executor import attempts
from services.executor.adapters.probing import Probe
from services.executor.choosing import LaneWait, Turn, WaitingSince, Warmth, lane_order
from services.executor.deps import AnyDeps, Runner, Seat
from services.executor.handlers import on_step_ready
from services.executor.lane_lags import LaneLags
from services.executor.lane_queue import LaneQueue

log = structlog.get_logger()

COLLECTING_BESIDE = 2
"""Steps whose prompt is over may stream outputs beside the running and the staged one."""
LOOK_FOR_BEGUN_EVERY_S = 2.0
"""While steps of a lane are out of the queue, how often one of ours is looked for among them."""
EMPTY_BELIEVED_S = 15.0
"""A lane in which nothing waited and nothing was in hand is not asked again for so long, because
every step that becomes ready is heard; but for one of the moment before listening began."""
WARM_BELIEVED_S = 30.0
"""What an engine has loaded counts as long as its executor has seen it within this time."""


class EngineLoop:
    """Serves one engine: at most one prompt running and `staged` more submitted behind it."""

    def __init__(
        self,
        deps: AnyDeps,
        probe: Probe,
        run: Runner,
        queue: LaneQueue,
        stopping: asyncio.Event,
        *,
        staged: int,
    ) -> None:
        self.deps = deps
        self._queue = queue
        self._probe = probe
        self._run = run
        self._stopping = stopping
        seats = 1 + staged
        self._seats = asyncio.Semaphore(seats)
        self._hands = asyncio.Semaphore(seats + COLLECTING_BESIDE)
        self._in_hand: dict[asyncio.Task[None], str] = {}
        self._waiting = WaitingSince()
        self._turn = Turn()
        self._lags = LaneLags(deps.bus, EMPTY_BELIEVED_S)
        self._looked_for_begun_s = float("-inf")
        self._stir = asyncio.Event()

    def hear(self, event: StepReady) -> None:
        """A step became ready: what is fetched, and when, is up to the loop."""
        self._lags.heard(event.lane)
        self._stir.set()

    async def run(self) -> None:
        """Serves the engine until the process stops, taking the lease anew whenever it is lost."""
        while not self._stopping.is_set():
            if not await self._until_stopping(self.deps.lease.acquire(wait=True)):
                break
            log.info("engine leased", engine_id=self._engine_id, epoch=self.deps.lease.epoch)
            await self._serve()
        await self.deps.lease.release()

    async def _serve(self) -> None:
        """Probes and pulls until the lease is lost or the process stops; then gives work back."""
        duties = [
            asyncio.create_task(self._probe.run()),
            asyncio.create_task(self._pull()),
            asyncio.create_task(self.deps.lease.lost.wait()),
            asyncio.create_task(self._stopping.wait()),
        ]
        try:
            done, _ = await asyncio.wait(duties, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end([*duties, *self._in_hand])
            self.deps.link.answering.clear()
        for duty in done:
            duty.result()
        if not self._stopping.is_set():
            log.warning("engine given up for now: lease lost", engine_id=self._engine_id)
            await self.deps.lease.release()

    async def _pull(self) -> None:
        while True:
            await self.deps.link.answering.wait()
            await self._hands.acquire()
            await self._seats.acquire()
            delivery = None
            try:
                if self.deps.link.answering.is_set() and not self.deps.link.stuck.is_set():
                    delivery = await self._next()
            finally:
                if delivery is None:
                    self._seats.release()
                    self._hands.release()
            if delivery is None:
                await self._pause()
            else:
                self._take(delivery)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.deps.settings.idle_poll_s):
                await self._stir.wait()
        self._stir.clear()

    async def _next(self) -> Delivery | None:
        """A step that this engine has begun, else the next one in the order `choosing` gives."""
        snapshot = self.deps.link.snapshot
        lanes = snapshot.lanes if snapshot is not None else ()
        if self._lags.quiet(lanes):
            return None
        held = Counter(self._in_hand.values())
        open_lanes, seen = await tasks.side_by_side(
            self._open_of(lanes), self._lags.of(lanes, held)
        )
        lags = {lane: lag for lane, lag in seen.items() if lane in open_lanes}
        begun = await self._begun([lane for lane, lag in lags.items() if lag.ack_pending])
        if begun is not None:
            return begun
        work = {lane: lag.pending + lag.ack_pending for lane, lag in lags.items()}
        waits = self._waiting.seen([lane for lane, n in work.items() if n], time.monotonic())
        settings = self.deps.settings
        warmth = await self._warmth(waits)
        for lane in lane_order(waits, warmth, settings.lane_patience_s, settings.lane_turn_s):
            delivery = await self._queue.next(lane, work[lane])
            if delivery is not None:
                self._lags.took(lane)
                self._waiting.served(lane)
                return delivery
            self._lags.missed(lane)
        return None

    async def _begun(self, lanes: list[str]) -> Delivery | None:
        """A step that this engine holds and whose executor is gone, whatever the lane's turn is.

        Without this it would wait until the lane's turn comes here: others can only give it back.
        """
        now_s = time.monotonic()
        if not lanes or now_s - self._looked_for_begun_s < LOOK_FOR_BEGUN_EVERY_S:
            return None
        self._looked_for_begun_s = now_s
        for lane in lanes:
            found = await self._queue.ours(lane, self._goes_on_here)
            if found is not None:
                self._looked_for_begun_s = float("-inf")  # there may be more
                return found
        return None

    async def _goes_on_here(self, delivery: Delivery) -> bool:
        event = delivery.event
        if not isinstance(event, StepReady):
            return False
        try:
            state = (await self.deps.bus.job(event.job_id)).state
        except BusUnavailable:
            return False
        return attempts.is_begun_on(state, event, self._engine_id)

    async def _warmth(self, waits: tuple[LaneWait, ...]) -> Warmth:
        warm = self.deps.link.warm_lane
        served_s = self._turn.served_s(warm, time.monotonic())
        if all(wait.lane == warm for wait in waits):
            return Warmth(warm, served_s)
        try:
            engines = await self.deps.board.all()
        except BusUnavailable:
            # Without it a lane may be loaded twice, no more.
            return Warmth(warm, served_s)
        elsewhere = frozenset(
            other.warm_lane
            for other in engines.values()
            if other.warm_lane is not None
            and other.engine_id != self._engine_id
            and other.health in ("ready", "busy")
            and (now() - other.seen_at).total_seconds() < WARM_BELIEVED_S
        )
        return Warmth(warm, served_s, elsewhere)

    async def _open_of(self, lanes: Sequence[str]) -> frozenset[str]:
        """Those of the lanes that nobody paused."""
        try:
            paused = await self.deps.board.paused()
        except BusUnavailable as trouble:
            log.warning("nothing is pulled: pauses cannot be read", reason=str(trouble))
            return frozenset()
        if paused & {"all", f"engine.{self._engine_id}"}:
            return frozenset()
        return frozenset(lane for lane in lanes if f"lane.{lane}" not in paused)

    def _take(self, delivery: Delivery) -> None:
        seat = Seat(self._seats.release)
        task = asyncio.create_task(self._hold(delivery, seat))
        lane = delivery.event.lane if isinstance(delivery.event, StepReady) else ""
        self._in_hand[task] = lane
        task.add_done_callback(partial(self._put_down, seat))

    def _put_down(self, seat: Seat, task: asyncio.Task[None]) -> None:
        del self._in_hand[task]
        seat.leave()
        self._hands.release()
        self._stir.set()

    async def _hold(self, delivery: Delivery, seat: Seat) -> None:
        if self._stopping.is_set():
            await delivery.nak(SHUTDOWN_NAK_DELAY_S)
            return
        step = partial(on_step_ready, deps=self.deps, seat=seat, run=self._run)
        await handle(delivery, {StepReady: step})

    async def _until_stopping(self, work: Awaitable[object]) -> bool:
        """True when the work was done first, False when the process stops first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            return task.done() and not self._stopping.is_set()
        finally:
            await tasks.end((task, stop))

    @property
    def _engine_id(self) -> str:
        return self.deps.link.engine_id
