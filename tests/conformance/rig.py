"""A real ComfyUI that a test may harm: its address, its state folder and how it is started again.

Owns what the environment says of it (COMFYUI_URL, COMFYUI_RIG_STATE, COMFYUI_RIG_START), the file
in which its nodes find ordered faults, and its models folder. The state folder is the server's base
directory; a custom node there must make nodes fail as `faults.json` says. Nothing is started that
is not asked for, and a restarted server is left running.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.executor.scene import SimulatedComfy

STARTS_WITHIN_S = 240.0
NEEDED = ("COMFYUI_URL", "COMFYUI_RIG_STATE")


def skip_unless(*names: str) -> pytest.MarkDecorator:
    """Skips without the settings that name the server; says which one is absent."""
    absent = [name for name in (*NEEDED, *names) if not os.environ.get(name)]
    return pytest.mark.skipif(
        bool(absent), reason=f"no real ComfyUI to harm: {', '.join(absent)} is not set"
    )


class RealComfy(SimulatedComfy):
    """The server at COMFYUI_URL where the executor's tests have a simulator."""

    def __init__(self) -> None:
        """Takes the address and folders from the environment."""
        super().__init__(Path(os.environ["COMFYUI_RIG_STATE"]))
        self.address = os.environ["COMFYUI_URL"].rstrip("/")

    @property
    def url(self) -> str:
        """Where it listens, or the wire before it."""
        return self.address

    def order(self, *faults: dict[str, Any]) -> None:
        """Replaces the ordered faults."""
        part = self.state / "faults.part"
        part.write_text(json.dumps(faults))
        part.replace(self.state / "faults.json")

    def left(self) -> list[dict[str, Any]]:
        """Ordered faults that have not happened."""
        ordered: list[dict[str, Any]] = json.loads((self.state / "faults.json").read_text())
        return [fault for fault in ordered if fault.get("times", 1) > 0]

    def answers(self) -> bool:
        """Whether it answers now."""
        try:
            return httpx.get(f"{self.url}/queue", timeout=5).is_success
        except httpx.TransportError:
            return False

    def start(self, *more: str) -> None:
        """Starts it again as COMFYUI_RIG_START says, and waits until it answers.

        `more` are arguments of ComfyUI's own, given after a `--`.
        """
        with (self.state / "restarted.log").open("ab") as log:
            subprocess.Popen(
                [*shlex.split(os.environ["COMFYUI_RIG_START"]), *(("--", *more) if more else ())],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.wait(self.answers)

    def restart(self, *more: str) -> None:
        """Ends it, by the process id in its state folder, and starts it with more arguments."""
        port = urlsplit(self.address).port
        os.kill(int((self.state / f"server-{port}.pid").read_text()), signal.SIGTERM)
        self.wait(lambda: not self.answers())
        self.start(*more)

    def rest(self) -> None:
        """No fault is ordered, nothing runs or waits, and no result is cached."""
        self.order()
        httpx.post(f"{self.url}/queue", json={"clear": True}, timeout=60).raise_for_status()

        def still() -> bool:
            if self.waiting():
                httpx.post(f"{self.url}/interrupt", timeout=60)
                return False
            return True

        self.wait(still)
        everything = {"unload_models": True, "free_memory": True}
        httpx.post(f"{self.url}/free", json=everything, timeout=60).raise_for_status()

    def ran(self) -> set[str]:
        """Ids of all prompts in the history, running and waiting."""
        queue = httpx.get(f"{self.url}/queue", timeout=60).json()
        listed = {item[1] for part in queue.values() for item in part}
        return listed | set(httpx.get(f"{self.url}/history", timeout=60).json())

    def outcomes(self, prompt_ids: Sequence[str]) -> list[str]:
        """How prompts ended, of those that the history has."""
        entries = [httpx.get(f"{self.url}/history/{one}", timeout=60).json() for one in prompt_ids]
        return [entry["status"]["status_str"] for found in entries for entry in found.values()]

    @contextlib.contextmanager
    def without(self, *files: str) -> Iterator[None]:
        """Model files, below the models folder, are away for a while."""
        places = [self.state / "models" / name for name in files]
        for place in places:
            place.rename(place.with_suffix(".away"))
        try:
            yield
        finally:
            for place in places:
                place.with_suffix(".away").rename(place)

    @staticmethod
    def wait(holds: Callable[[], object]) -> None:
        """Until a condition holds. Fails the test when it does not in time."""
        until = time.monotonic() + STARTS_WITHIN_S
        while not holds():
            assert time.monotonic() < until, "the server does not come to rest"
            time.sleep(0.2)
