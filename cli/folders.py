"""Where the embedded system keeps everything: one folder, and what lies where in it.

Must not write anything but the folders themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """The data folder of one embedded system; `var` is absolute."""

    var: Path

    @property
    def nats(self) -> Path:
        """The bus: its configuration and the streams."""
        return self.var / "nats"

    @property
    def bus_passwords(self) -> Path:
        """Who may connect to the bus of this start: its passwords by user, as JSON."""
        return self.nats / "passwords.json"

    @property
    def media(self) -> Path:
        """The media store."""
        return self.var / "media"

    @property
    def state(self) -> Path:
        """The database."""
        return self.var / "state"

    @property
    def simulator(self) -> Path:
        """Everything of the simulated ComfyUI."""
        return self.var / "simulator"

    @property
    def credentials(self) -> Path:
        """The test certificate that signs content credentials here."""
        return self.var / "credentials"

    @property
    def webui_simulator(self) -> Path:
        """Everything of the simulated WebUI."""
        return self.var / "webui_simulator"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.var / "log"

    @property
    def run(self) -> Path:
        """Lock, ports, and the state of a running system."""
        return self.var / "run"

    @property
    def lock_file(self) -> Path:
        """Held locked by the running supervisor."""
        return self.run / "lock"

    @property
    def state_file(self) -> Path:
        """What runs now: URL, engine, process ids and ports, as JSON."""
        return self.run / "state.json"

    @property
    def ports_file(self) -> Path:
        """The ports of the last start, taken again when they are free."""
        return self.run / "ports.json"

    def log_of(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Make the folders, readable by their owner alone. Raises OSError."""
        self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
        simulators = (self.simulator, self.webui_simulator)
        for folder in (self.nats, self.media, self.state, *simulators, self.logs, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)


def folders_at(var: Path) -> Folders:
    """The folders below `var`, which need not exist yet."""
    return Folders(var.expanduser().resolve())
