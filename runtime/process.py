"""The process of a service: start, signals, readiness, drain, exit code.

The same for all five services. Must not know what any of them does.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import structlog
import uvloop

from contracts.subjects import Service
from runtime import garbage
from runtime.bus import Bus
from runtime.health import Check, health_app
from runtime.http_server import listen, serve_http
from runtime.media_store import MediaStore, open_media_store
from runtime.settings import SharedSettings, health_port_of
from runtime.tasks import end
from runtime.telemetry import configure_logging, configure_tracing
from runtime.work import Subscription, work

__all__ = ["App", "Runtime", "Subscription", "run", "serve"]

log = structlog.get_logger()

Background = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a service is given to stand on."""

    service: Service
    shared: SharedSettings
    bus: Bus
    media: MediaStore
    stopping: asyncio.Event
    instance: str


@dataclass(frozen=True, slots=True)
class App:
    """What a service is: its subscriptions, its own tasks, and what makes it ready.

    A background task that returns while the process is not stopping, or raises, ends the process:
    the supervisor starts it anew.
    """

    subscriptions: tuple[Subscription, ...] = ()
    background: tuple[Background, ...] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)


Build = Callable[[Runtime], AbstractAsyncContextManager[App]]


async def serve(service: Service, build: Build, shared: SharedSettings) -> int:
    """Run a service until SIGTERM or SIGINT; returns the exit code."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    provider = configure_tracing(service, shared.instance, shared.otlp_endpoint)
    bus = Bus(service, shared.nats_url, on_closed=stopping.set, password=shared.bus_password)
    try:
        if not await _connected(bus, stopping):
            return 0
        async with bus:
            runtime = Runtime(
                service, shared, bus, open_media_store(shared), stopping, shared.instance
            )
            async with build(runtime) as app:
                garbage.settle()
                return await _run(runtime, app)
    finally:
        await asyncio.to_thread(provider.shutdown)


async def _connected(bus: Bus, stopping: asyncio.Event) -> bool:
    """Wait for the bus as long as it takes; a signal ends the wait."""
    connecting = asyncio.create_task(bus.connect())
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not connecting.done():
        connecting.cancel()
        return False
    await connecting
    return True


async def _run(runtime: Runtime, app: App) -> int:
    async def bus_check() -> str | None:
        return None if runtime.bus.connected else "the bus is not reachable"

    checks = {"bus": bus_check, **app.checks}
    health = health_app(runtime.service, checks)
    sock = listen(runtime.shared.health_host, health_port_of(runtime.service))
    log.info("started", health_port=sock.getsockname()[1], instance=runtime.instance)
    tasks = [
        asyncio.create_task(serve_http(health, sock, runtime.stopping), name="health"),
        *(
            asyncio.create_task(work(runtime.bus, s, runtime.stopping), name=s.consumer.durable)
            for s in app.subscriptions
        ),
        *(asyncio.create_task(_as_coroutine(b), name=_name(b)) for b in app.background),
    ]
    stopped = asyncio.create_task(runtime.stopping.wait())
    await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
    code = 0
    if not runtime.stopping.is_set():
        code = 1
        for task in tasks:
            if task.done():
                failure = None if task.cancelled() else task.exception()
                log.error("task ended unexpectedly", task=task.get_name(), exc_info=failure)
    runtime.stopping.set()
    _, late = await asyncio.wait(tasks, timeout=runtime.shared.drain_s)
    await end([*late, stopped])
    log.info("stopped", exit_code=code, cancelled=len(late))
    return code


async def _as_coroutine(background: Background) -> None:
    await background()


def _name(background: Background) -> str:
    return getattr(background, "__name__", type(background).__name__)


def run(service: Service, build: Build) -> None:
    """The whole of a service's `__main__`: settings, logs, event loop, exit code."""
    shared = SharedSettings()
    configure_logging(service, shared.log_level)
    sys.exit(uvloop.run(serve(service, build, shared)))
