"""Wires the executor: one loop per engine, one follower of cancels, one of steps that are ready.

Owns construction only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from contracts.engines import EngineKind, EngineSnapshot
from contracts.events import CancelRequested, StepReady
from contracts.subjects import JOBS_STREAM, all_of
from planning.matching import engine_lanes
from planning.needs import choice_keys, every_trial
from planning.registry import load_workflows
from runtime import failpoints, tasks
from runtime.engine_board import EngineBoard
from runtime.ids import new_id
from runtime.leases import Lease
from runtime.process import App, Runtime
from runtime.telemetry import continued, ids_of, job_context
from services.executor.adapters.comfy_link import open_comfy
from services.executor.adapters.comfy_probe import ComfyProbe, Wanted
from services.executor.adapters.engine_link import EngineLink
from services.executor.adapters.webui_link import open_webui
from services.executor.adapters.webui_probe import WebuiProbe
from services.executor.cancelling import on_cancel_requested
from services.executor.comfyui.running import ComfyRunner
from services.executor.deps import AnyDeps, Deps, Tickets
from services.executor.engine_loop import EngineLoop
from services.executor.lane_queue import LaneQueue
from services.executor.ledger import Ledger
from services.executor.settings import EngineSettings, Settings
from services.executor.webui.running import WebuiRunner

LinkT = TypeVar("LinkT", bound=EngineLink)
LoopContext: TypeAlias = AbstractAsyncContextManager[EngineLoop]


@asynccontextmanager
async def build(runtime: Runtime) -> AsyncIterator[App]:
    """The executor as an App. Raises ValueError when no engine is named."""
    failpoints.armed()
    async with build_with(runtime, Settings()) as app:
        yield app


@asynccontextmanager
async def build_with(runtime: Runtime, settings: Settings) -> AsyncIterator[App]:
    """The executor with given settings."""
    shared = _Shared(runtime, settings, f"{runtime.instance}.{new_id()}")
    async with AsyncExitStack() as stack:
        loops = [
            await stack.enter_async_context(_LOOPS[engine.kind](engine, shared))
            for engine in settings.all_engines()
        ]
        engines = tuple(loop.deps for loop in loops)

        async def follow_cancels() -> None:
            await _while_running(runtime, _follow_cancels(runtime, engines))

        async def follow_ready_steps() -> None:
            await _while_running(runtime, _follow_ready_steps(runtime, tuple(loops), shared.queue))

        yield App(background=(*(loop.run for loop in loops), follow_cancels, follow_ready_steps))


class _Shared:
    """What all engines of this process share."""

    def __init__(self, runtime: Runtime, settings: Settings, executor_id: str) -> None:
        self.runtime, self.settings, self.executor_id = runtime, settings, executor_id
        self.board, self.tickets = EngineBoard(runtime.bus), Tickets()
        self.queue = LaneQueue(runtime.bus)
        self.ledger = Ledger(runtime.bus, runtime.media, executor_id)
        self.workflows = load_workflows()

    def deps(self, link: LinkT) -> Deps[LinkT]:
        """What the handlers of one engine work with."""
        bus = self.runtime.bus
        return Deps(
            bus=bus,
            media=self.runtime.media,
            board=self.board,
            ledger=self.ledger,
            settings=self.settings,
            link=link,
            lease=Lease(bus, f"engine.{link.engine_id}", self.executor_id),
            tickets=self.tickets,
        )

    def served(self, able: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the lanes an engine is able to run that the installation has."""
        only = self.settings.lanes
        return tuple(lane for lane in able if not only or lane in only)


@asynccontextmanager
async def _comfy_loop(engine: EngineSettings, shared: _Shared) -> AsyncIterator[EngineLoop]:
    workflows, runtime = shared.workflows, shared.runtime

    def lanes_for(seen: EngineSnapshot) -> tuple[str, ...]:
        able = engine.lanes if engine.lanes is not None else engine_lanes(workflows, seen)
        return shared.served(able)

    async with open_comfy(engine) as link:
        deps = shared.deps(link)
        wanted = Wanted(choice_keys(workflows), tuple(every_trial(workflows)))
        probe = ComfyProbe(link, runtime.media, shared.board, shared.settings, lanes_for, wanted)
        staged = shared.settings.staged
        run = ComfyRunner(deps)
        yield EngineLoop(deps, probe, run, shared.queue, runtime.stopping, staged=staged)


@asynccontextmanager
async def _webui_loop(engine: EngineSettings, shared: _Shared) -> AsyncIterator[EngineLoop]:
    runtime = shared.runtime

    def lanes_for(seen: EngineSnapshot) -> tuple[str, ...]:
        able = engine_lanes(shared.workflows, seen)
        if engine.lanes is not None:
            able = tuple(lane for lane in able if lane in engine.lanes)
        return shared.served(able)

    async with open_webui(engine, shared.settings) as link:
        deps = shared.deps(link)
        probe = WebuiProbe(link, runtime.media, shared.board, shared.settings, lanes_for)
        # nothing is staged: a call in its line cannot be taken back, and Deforum ignores the line
        run = WebuiRunner(deps)
        yield EngineLoop(deps, probe, run, shared.queue, runtime.stopping, staged=0)


_LOOPS: Mapping[EngineKind, Callable[[EngineSettings, _Shared], LoopContext]] = {
    "comfyui": _comfy_loop,
    "webui": _webui_loop,
}


async def _follow_cancels(runtime: Runtime, engines: tuple[AnyDeps, ...]) -> None:
    async with asyncio.TaskGroup() as group:
        async for seen in runtime.bus.follow(JOBS_STREAM, (all_of(CancelRequested),)):
            if isinstance(seen.event, CancelRequested):
                with continued(seen.headers), job_context(**ids_of(seen.event)):
                    group.create_task(on_cancel_requested(seen.event, engines))


async def _follow_ready_steps(
    runtime: Runtime, loops: tuple[EngineLoop, ...], queue: LaneQueue
) -> None:
    """A hint that something may be fetched, and for whom; the loops look by themselves too."""
    async for seen in runtime.bus.follow(JOBS_STREAM, (all_of(StepReady),)):
        if isinstance(seen.event, StepReady):
            queue.turns.heard(seen.event.lane, seen.event.owner)
            for loop in loops:
                loop.hear(seen.event)


async def _while_running(runtime: Runtime, work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` until the process stops; what it raises ends the process."""
    task = asyncio.create_task(work)
    stop = asyncio.create_task(runtime.stopping.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        await tasks.end((task, stop))
