"""Starts the bundled nats-server: loopback, JetStream, every write synced to disk.

Used by the embedded system and by the tests. Must not provision anything.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import time
import urllib.request
from pathlib import Path

READY_TIMEOUT_S = 10.0


class NatsUnavailable(RuntimeError):
    """No nats-server binary is there, or it did not become ready."""


def nats_binary() -> str:
    """The nats-server on PATH, or the one that came with the package. Raises NatsUnavailable."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.is_file():
        return str(beside)
    found = shutil.which("nats-server")
    if found is None:
        raise NatsUnavailable("nats-server is missing; run `make setup` again")
    return found


def write_config(folder: Path, port: int, monitor_port: int, authorization: str = "") -> Path:
    """The configuration of an embedded server; ports of -1 take free ones.

    `authorization` is a block of runtime.bus_accounts; without it everyone on this machine is let
    in. The file is readable by its owner alone, because that block holds passwords.

    `sync_interval: always` because an acknowledged event must survive a power cut: the default
    syncs every two minutes (facts on JetStream, Durability).
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nats.conf"
    config.touch(mode=0o600)
    config.chmod(0o600)
    config.write_text(
        f'listen: "127.0.0.1:{port}"\n'
        f'http: "127.0.0.1:{monitor_port}"\n'
        f"ports_file_dir: {json.dumps(str(folder))}\n"
        "max_payload: 1MB\n"
        "jetstream {\n"
        f"  store_dir: {json.dumps(str(folder / 'store'))}\n"
        "  sync_interval: always\n"
        "}\n" + authorization
    )
    return config


class NatsProcess:
    """A nats-server of one's own, on its own folder; it can be killed and started again there."""

    def __init__(
        self, folder: Path, port: int = -1, monitor_port: int = -1, authorization: str = ""
    ) -> None:
        """Nothing is started yet."""
        self._folder = folder.resolve()
        self._port, self._monitor_port = port, monitor_port
        self._authorization = authorization
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def monitor_url(self) -> str:
        """Where /healthz and /jsz answer."""
        return f"http://127.0.0.1:{self._monitor_port}"

    def start(self) -> None:
        """Start and wait until JetStream answers. Raises NatsUnavailable."""
        for stale in self._folder.glob("*.ports"):
            stale.unlink()
        config = write_config(self._folder, self._port, self._monitor_port, self._authorization)
        with (self._folder / "nats.log").open("ab") as output:
            self.process = subprocess.Popen(
                [nats_binary(), "-c", str(config)],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", "")},
            )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NatsUnavailable(f"nats-server ended at once; see {self._folder / 'nats.log'}")
            if self._read_ports() and self._healthy():
                return
            time.sleep(0.01)
        self.kill()
        raise NatsUnavailable("nats-server did not become ready")

    def _read_ports(self) -> bool:
        """A restart takes the same ports, so that clients find it again."""
        for path in self._folder.glob("*.ports"):
            try:
                ports = json.loads(path.read_text())
                self._port = int(ports["nats"][0].rsplit(":", 1)[1])
                self._monitor_port = int(ports["monitoring"][0].rsplit(":", 1)[1])
            except (ValueError, KeyError, IndexError):
                continue
            return True
        return False

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own loopback server
                f"{self.monitor_url}/healthz?js-enabled-only=true", timeout=1
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end("kill")

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end("terminate")

    def _end(self, how: str) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            getattr(self.process, how)()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
