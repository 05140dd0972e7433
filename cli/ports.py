"""Loopback ports: which are free, and which a system had at its last start.

Must not keep a port open: between choosing and listening another program may take it.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

# Below the range from which kernels take ports for outgoing connections: a port from there may be
# gone when a restarted process wants it back.
FIRST_PORT, LAST_PORT = 20_000, 31_999
TRIES = 500


class NoFreePort(RuntimeError):
    """No loopback port could be found."""


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. False too when the host is not this machine."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        return False
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_ports(names: Iterable[str], remembered: Path) -> dict[str, int]:
    """A free loopback port for every name, the remembered one where it is still free.

    The choice is written to the file. Raises NoFreePort.
    """
    before = _read(remembered)
    chosen: dict[str, int] = {}
    for name in names:
        wanted = before.get(name)
        taken = set(chosen.values())
        if wanted is not None and wanted not in taken and is_free("127.0.0.1", wanted):
            chosen[name] = wanted
        else:
            chosen[name] = _any_free(taken | set(before.values()))
    remembered.write_text(json.dumps(chosen, indent=1) + "\n")
    return chosen


def _any_free(taken: set[int]) -> int:
    for _ in range(TRIES):
        port = random.randint(FIRST_PORT, LAST_PORT)  # noqa: S311 - not a secret
        if port not in taken and is_free("127.0.0.1", port):
            return port
    raise NoFreePort(f"no free loopback port between {FIRST_PORT} and {LAST_PORT}")


def _read(path: Path) -> dict[str, int]:
    """The file's ports; a missing or damaged file remembers nothing."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): port for name, port in found.items() if isinstance(port, int)}
