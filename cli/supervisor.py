"""Runs all programs of a system: in tiers, under a lock, until it is told to stop.

Owns order, lock and the state file. Must not know what the programs do.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cli.children import Child, ChildSpec
from cli.folders import Folders
from cli.logfiles import rotate, tail_of
from cli.nursery import Nursery
from cli.processes import ProcessRecord, end_leftovers, record_from, start_time_of
from cli.trouble import Trouble

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 25.0
DEATHS_AT_START = 3
"""A program that dies this often before it was ready once will not get up by itself."""
LOG_CHECK_S = 60.0


@dataclass(frozen=True, slots=True)
class Tier:
    """Programs that start together, after the tiers before them are ready, and stop together."""

    children: tuple[ChildSpec, ...]


@contextmanager
def only_one(folders: Folders) -> Iterator[None]:
    """Hold the data folder for this process. Raises Trouble when another one has it."""
    with folders.lock_file.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            state = read_state(folders)
            where = f" (process {state['pid']}, {state['url']})" if state else ""
            raise Trouble(
                f"Animatrix already runs on {folders.var}{where}.",
                "Stop it first, or give this one a folder of its own with --var.",
            ) from taken
        yield


def is_held(folders: Folders) -> bool:
    """Whether a supervisor runs on the folder now."""
    try:
        with folders.lock_file.open("r") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_state(folders: Folders) -> dict[str, Any] | None:
    """The state file's content, None when there is none or it is damaged."""
    try:
        found = json.loads(folders.state_file.read_text())
    except (OSError, ValueError):
        return None
    well_formed = isinstance(found, dict) and {"pid", "url", "children"} <= found.keys()
    return found if well_formed else None


def end_stale_children(folders: Folders) -> list[ProcessRecord]:
    """End what a killed supervisor left running here; only processes that are provably ours."""
    state = read_state(folders)
    if state is None or not isinstance(state["children"], dict):
        return []
    records = (record_from(child) for child in state["children"].values())
    return end_leftovers(record for record in records if record is not None)


class Supervisor:
    """The programs of all tiers, running."""

    def __init__(
        self,
        folders: Folders,
        tiers: Sequence[Tier],
        facts: Mapping[str, Any] | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        """Nothing is started. `facts` are written to the state file beside the processes."""
        self._folders = folders
        self._nursery = nursery
        self._facts = {"url": None, **(facts or {})}
        self._tiers = [
            [Child(spec, self.write_state, nursery) for spec in t.children] for t in tiers
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._log_watch: asyncio.Task[None] | None = None
        self._closed = False
        self.started_at = time.time()

    @property
    def children(self) -> list[Child]:
        """All of them, in the order of starting."""
        return [child for tier in self._tiers for child in tier]

    async def start(self, ready_within_s: float = READY_WITHIN_S) -> None:
        """Start tier after tier; returns when all are ready.

        Raises Trouble when a program keeps dying or is not ready in time; the caller stops.
        """
        deadline = time.monotonic() + ready_within_s
        self._log_watch = asyncio.create_task(self._watch_logs())
        for tier in self._tiers:
            self._tasks += [asyncio.create_task(child.keep_running()) for child in tier]
            for child in tier:
                await self._until_ready(child, tier, deadline)

    async def stop(self, within_s: float = STOP_WITHIN_S) -> list[str]:
        """Stop the tiers in reverse order; the names of those that had to be killed."""
        killed: list[str] = []
        for tier in reversed(self._tiers):
            ended = await asyncio.gather(*(child.stop(within_s) for child in tier))
            killed += [c.spec.name for c, willing in zip(tier, ended, strict=True) if not willing]
        if self._log_watch is not None:
            self._log_watch.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._nursery is not None:
            await self._nursery.stop()
        self._closed = True
        self._folders.state_file.unlink(missing_ok=True)
        return killed

    def kill(self) -> None:
        """SIGKILL to everything, for who cannot wait."""
        for child in self.children:
            child.kill()

    def write_state(self) -> None:
        """Say in the state file what runs now."""
        if self._closed:
            return
        state = {
            **self._facts,
            "pid": os.getpid(),
            "started": start_time_of(os.getpid()),
            "started_at": self.started_at,
            "children": {child.spec.name: _described(child) for child in self.children},
        }
        part = self._folders.state_file.with_suffix(".part")
        part.write_text(json.dumps(state, indent=1) + "\n")
        part.replace(self._folders.state_file)

    async def _until_ready(self, child: Child, tier: Sequence[Child], deadline: float) -> None:
        while not child.ready.is_set():
            for one in tier:
                if one.deaths_before_ready >= DEATHS_AT_START and not one.ready.is_set():
                    raise _failed(one, f"{one.spec.name} ended {one.deaths_before_ready} times")
            if time.monotonic() > deadline:
                raise _failed(child, f"{child.spec.name} did not become ready in time")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.ready.wait(), 0.2)

    async def _watch_logs(self) -> None:
        while True:
            for child in self.children:
                await asyncio.to_thread(rotate, child.spec.log)
            await asyncio.sleep(LOG_CHECK_S)


def _described(child: Child) -> dict[str, Any]:
    record = child.record.as_json() if child.record else {"pid": None}
    return {
        **record,
        "ready": child.ready.is_set(),
        "restarts": child.restarts,
        "ready_url": child.spec.ready_url,
        "ports": dict(child.spec.ports),
        "log": str(child.spec.log),
    }


def _failed(child: Child, sentence: str) -> Trouble:
    why = f" (last exit code {child.last_exit})" if child.last_exit is not None else ""
    details = [f"It says: {child.problem}"] if child.problem else []
    details += tail_of(child.spec.log)
    return Trouble(
        f"{sentence[0].upper()}{sentence[1:]}{why}.", f"Its log: {child.spec.log}", tuple(details)
    )
