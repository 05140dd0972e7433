"""A simulated ComfyUI as a separate process, for tests."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.prefork import Forked, start_listening


@dataclass(frozen=True)
class Simulator:
    """A running simulator: its address, folder and process."""

    url: str
    state: Path
    process: Forked

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])


@contextlib.contextmanager
def start_simulator(
    state: Path, *, step_s: float = 0.0, port: int = 0, more: Sequence[str] = ()
) -> Iterator[Simulator]:
    """Starts a simulator, waits until it answers, and ends it afterwards."""
    port_file = state.with_name(f"{state.name}.port")
    arguments = ["--port", str(port), "--speed", str(step_s), *more]
    process, port = start_listening("simulators.comfyui", state, arguments, port_file)
    try:
        yield Simulator(f"http://127.0.0.1:{port}", state, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
