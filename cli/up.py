"""`animatrix up`: the whole system on one machine, until it is told to stop.

Owns what is printed and how signals end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from rich.console import Console

from cli.answers import Capabilities
from cli.folders import Folders
from cli.supervisor import Supervisor, end_stale_children, only_one
from cli.system import TOKEN_VARIABLE, System, Wanted, plan_system
from cli.trouble import Trouble

ENGINE_KNOWN_WITHIN_S = 5.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(wanted: Wanted, *, as_json: bool, began_s: float) -> None:
    """Run until a signal; `began_s` is time.monotonic() at the start of the command.

    Raises Trouble when the system cannot be started.
    """
    try:
        wanted.folders.make()
    except OSError as denied:
        raise Trouble(
            f"The data folder {wanted.folders.var} cannot be used: {denied.strerror}.",
            "Choose another one with ANIMATRIX_VAR or --var.",
        ) from denied
    with only_one(wanted.folders):
        ended = end_stale_children(wanted.folders)
        if ended:
            _say(f"Ended {len(ended)} processes that an earlier run had left behind.")
        system = plan_system(wanted, os.environ)
        settle = functools.partial(engines_known, system.url, 2 if system.webui else 1)
        asyncio.run(run(wanted.folders, system, settle, as_json=as_json, began_s=began_s))


async def run(
    folders: Folders,
    system: System,
    settle: Callable[[], Awaitable[None]],
    *,
    as_json: bool,
    began_s: float,
) -> None:
    """Start the programs, let them settle, say when they are ready, stop them on a signal.

    Raises Trouble when they do not get up; they are stopped then too.
    """
    facts = {"url": system.url, "engine": system.engine, "webui": system.webui}
    supervisor = Supervisor(folders, system.tiers, facts, system.nursery)
    stop = _stop_on_signals(supervisor)
    starting = asyncio.create_task(_get_up(supervisor, settle))
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _announce(folders, system, time.monotonic() - began_s, as_json=as_json)
            await waiting
    finally:
        waiting.cancel()
        starting.cancel()
        await asyncio.gather(waiting, starting, return_exceptions=True)
        if not as_json:
            _say("Stopping…")
        killed = await supervisor.stop()
        _say(f"Stopped; had to be killed: {', '.join(killed)}." if killed else "Stopped.")


async def _get_up(supervisor: Supervisor, settle: Callable[[], Awaitable[None]]) -> None:
    await supervisor.start()
    await settle()


async def engines_known(url: str, count: int) -> None:
    """Wait a little until the system has met its engines: until then it cannot say what it offers.

    An engine that is away must not keep the system from starting, nor a gateway that died again.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    deadline = time.monotonic() + ENGINE_KNOWN_WITHIN_S
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError, ValueError):
                answer = await client.get("/api/capabilities")
                known = Capabilities.model_validate_json(answer.content).engines
                if answer.is_success and len(known) >= count:
                    return
            await asyncio.sleep(0.1)


def _stop_on_signals(supervisor: Supervisor) -> asyncio.Event:
    stop = asyncio.Event()

    def on_signal() -> None:
        # The second one is from someone who cannot wait.
        if stop.is_set():
            supervisor.kill()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    return stop


def readiness(folders: Folders, system: System, ready_s: float) -> dict[str, Any]:
    """The line that `--json` prints when everything is ready."""
    return {
        "event": "ready",
        "url": system.url,
        "engine": dict(system.engine),
        "webui": dict(system.webui) if system.webui is not None else None,
        "var": str(folders.var),
        "state_file": str(folders.state_file),
        "pid": os.getpid(),
        "ready_s": round(ready_s, 2),
    }


def _announce(folders: Folders, system: System, ready_s: float, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(readiness(folders, system, ready_s)) + "\n")
        sys.stdout.flush()
        return
    out = Console(soft_wrap=True)
    out.print(f"\n[bold green]Animatrix is ready[/] after {ready_s:.1f} s", highlight=False)
    out.print(f"  Open     [bold]{system.url}[/]", highlight=False)
    if system.engine["simulated"]:
        engine = (
            "[bold yellow]SIMULATED[/]: a stand-in ComfyUI makes marked test videos, no real ones"
        )
        out.print(f"  Engine   {engine}", highlight=False)
        out.print("           (set COMFYUI_URL to use a real one)", highlight=False)
    else:
        out.print(f"  Engine   {system.engine['url']}", highlight=False)
    out.print(f"  WebUI    {_webui(system)}", highlight=False)
    if system.signs_as_test:
        out.print("  Origin   content credentials, signed with a TEST certificate", highlight=False)
    out.print(f"  Data     {folders.var}", highlight=False)
    out.print(f"  Logs     {folders.logs}", highlight=False)
    out.print("  Try      animatrix demo (in another terminal)", highlight=False)
    out.print("  Stop     Ctrl-C\n", highlight=False)


def _webui(system: System) -> str:
    if system.webui is None:
        return "none (set WEBUI_URL for stills and motion clips)"
    if system.webui["simulated"]:
        return "[bold yellow]SIMULATED[/], with AnimateDiff and Deforum (set WEBUI_URL)"
    return str(system.webui["url"])


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        Console(stderr=True, soft_wrap=True).print(line, highlight=False)
