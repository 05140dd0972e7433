"""Three nats-servers that form one JetStream cluster on the loopback, for tests.

Must not provision anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.nats_process import nats_binary
from tests.support.ports import free_port

READY_WITHIN_S = 30.0
NODES = 3


@dataclass(frozen=True, slots=True)
class NatsCluster:
    """The cluster: the URL that names every node, and the nodes' processes."""

    url: str
    monitor_urls: tuple[str, ...]
    processes: tuple[subprocess.Popen[bytes], ...]


def _config(
    folder: Path, number: int, ports: list[tuple[int, int, int]], authorization: str
) -> Path:
    client, monitor, route = ports[number]
    routes = ", ".join(f'"nats://127.0.0.1:{other[2]}"' for other in ports)
    node = folder / f"node-{number}"
    node.mkdir(parents=True)
    config = node / "nats.conf"
    config.write_text(
        f"server_name: n{number}\n"
        f'listen: "127.0.0.1:{client}"\n'
        f'http: "127.0.0.1:{monitor}"\n'
        "max_payload: 1MB\n"
        f"jetstream {{ store_dir: {json.dumps(str(node / 'store'))}, sync_interval: always }}\n"
        f'cluster {{ name: test, listen: "127.0.0.1:{route}", routes: [{routes}] }}\n'
        + authorization
    )
    return config


@contextmanager
def running_cluster(folder: Path, authorization: str = "") -> Iterator[NatsCluster]:
    """Three nodes with a meta leader, ended afterwards.

    `authorization` is a block of runtime.bus_accounts; without it everyone is let in.
    """
    ports = [(free_port(), free_port(), free_port()) for _ in range(NODES)]
    processes = []
    try:
        for number in range(NODES):
            config = _config(folder, number, ports, authorization)
            with (config.parent / "nats.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [nats_binary(), "-c", str(config)],
                        stdout=log,
                        stderr=log,
                        stdin=subprocess.DEVNULL,
                        env={"PATH": os.environ.get("PATH", "")},
                    )
                )
        monitors = tuple(f"http://127.0.0.1:{monitor}" for _, monitor, _ in ports)
        _wait_for_leader(monitors, folder)
        url = ",".join(f"nats://127.0.0.1:{client}" for client, _, _ in ports)
        yield NatsCluster(url, monitors, tuple(processes))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(15)


def _wait_for_leader(monitors: tuple[str, ...], folder: Path) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s:
        if all(_knows_leader(monitor) for monitor in monitors):
            return
        time.sleep(0.05)
    logs = "".join(path.read_text()[-1500:] for path in folder.glob("node-*/nats.log"))
    raise AssertionError(f"no meta leader: {logs}")


def _knows_leader(monitor: str) -> bool:
    try:
        with urllib.request.urlopen(f"{monitor}/jsz", timeout=1) as answer:  # noqa: S310
            meta = json.load(answer).get("meta_cluster", {})
    except (OSError, ValueError):
        return False
    return bool(meta.get("leader")) and int(meta.get("cluster_size", 0)) == NODES
