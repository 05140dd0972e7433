"""A simulated ComfyUI as a process of its own, started on a free port by a test.

Owns the process, its faults and its journal, and the small graphs the tests submit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.prefork import Forked, start_listening


@dataclass(frozen=True)
class Simulator:
    """A running simulator: its URL and what only a simulator can be asked."""

    url: str
    process: Forked

    def order(self, *faults: dict[str, Any]) -> None:
        """Replaces the ordered faults."""
        httpx.put(f"{self.url}/simulator/faults", json={"faults": faults}).raise_for_status()

    def journal(self, event: str) -> list[dict[str, Any]]:
        """Journal entries of one event."""
        answer = httpx.get(f"{self.url}/simulator/journal", params={"event": event})
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries


@contextlib.contextmanager
def simulator(state: Path, *, port: int = 0) -> Iterator[Simulator]:
    """Starts one with its files under `state`, without waiting between steps; ends it after."""
    port_file = state.parent / f"{state.name}.port"
    arguments = ["--port", str(port), "--speed", "0"]
    process, port = start_listening("simulators.comfyui", state, arguments, port_file)
    try:
        yield Simulator(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait(10)


def clip(prefix: str = "clip", frames: int = 5) -> dict[str, Any]:
    """A graph that makes a short mp4 of one colour."""
    image = {"width": 64, "height": 64, "batch_size": frames, "color": 255}
    return {
        "1": {"class_type": "EmptyImage", "inputs": image},
        "2": {"class_type": "CreateVideo", "inputs": {"images": ["1", 0], "fps": 16.0}},
        "3": {
            "class_type": "SaveVideo",
            "inputs": {
                "video": ["2", 0],
                "filename_prefix": prefix,
                "format": "auto",
                "codec": "auto",
            },
        },
    }


def picture(name: str) -> dict[str, Any]:
    """A graph that reads an uploaded picture and writes it out."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "picture"},
        },
    }
