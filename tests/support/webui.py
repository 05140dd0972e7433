"""A simulated WebUI as a process of its own, for tests.

Owns the process, what only a simulator can be asked, and the reading of its frames.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.support.media import Size, read_counter
from tests.support.prefork import Forked, start_listening


@dataclass(frozen=True)
class WebUISimulator:
    """A running simulator: its address, folder and process."""

    url: str
    state: Path
    process: Forked

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def order(self, *faults: dict[str, Any]) -> None:
        """Replaces the ordered faults."""
        httpx.put(f"{self.url}/simulator/faults", json={"faults": faults}).raise_for_status()

    def install(self, **parts: Any) -> None:
        """Switches extensions on and off, or replaces what is installed."""
        httpx.put(f"{self.url}/simulator/installed", json=parts).raise_for_status()

    def speed(self, step_s: float) -> None:
        """Seconds per sampling step, from the next step on."""
        httpx.put(f"{self.url}/simulator/speed", json={"step_s": step_s}).raise_for_status()

    def option(self, **options: Any) -> None:
        """Changes the server's options, as a user of its page does."""
        httpx.post(f"{self.url}/sdapi/v1/options", json=options).raise_for_status()

    def interrupt(self) -> None:
        """What somebody else at the server's page does."""
        httpx.post(f"{self.url}/sdapi/v1/interrupt").raise_for_status()

    def journal(self, event: str, **fields: str) -> list[dict[str, Any]]:
        """Journal entries of one event, narrowed by fields such as kind and id."""
        params = {"event": event, **fields}
        answer = httpx.get(f"{self.url}/simulator/journal", params=params)
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries

    @property
    def poisoned(self) -> bool:
        """Whether a motion module was left injected."""
        return bool(httpx.get(f"{self.url}/simulator").json()["poisoned"])


@contextlib.contextmanager
def start_webui(
    state: Path, *, step_s: float = 0.0, port: int = 0, more: Sequence[str] = ()
) -> Iterator[WebUISimulator]:
    """Starts a simulator, waits until it answers, and ends it afterwards."""
    port_file = state.with_name(f"{state.name}.port")
    arguments = ["--port", str(port), "--speed", str(step_s), *more]
    process, port = start_listening("simulators.webui", state, arguments, port_file)
    try:
        yield WebUISimulator(f"http://127.0.0.1:{port}", state, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def counter(data: bytes) -> int:
    """The number that a frame of the simulator shows."""
    grey = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    return read_counter(grey, Size(grey.shape[1], grey.shape[0]))


def plain_png(width: int = 64, height: int = 64, colour: str = "red", mode: str = "RGB") -> bytes:
    """A picture of one colour as PNG."""
    out = io.BytesIO()
    Image.new(mode, (width, height), colour).save(out, format="PNG")
    return out.getvalue()
