"""The bus of the embedded system: its program, its accounts, what it has to hold.

Must not know the services.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from cli.children import ChildSpec
from cli.folders import Folders
from cli.trouble import Trouble
from planning.lanes import all_lanes
from planning.registry import WorkflowCorrupt
from runtime.bus_accounts import ADMIN, authorization
from runtime.media_store import prepare_media_store
from runtime.nats_process import NatsUnavailable, nats_binary, write_config
from runtime.provision import provision
from runtime.settings import SharedSettings

NATS = "nats"


def bus(
    folders: Folders,
    ports: Mapping[str, int],
    environment: Mapping[str, str],
    passwords: Mapping[str, str],
) -> ChildSpec:
    """The nats-server of this start, which lets in the holders of these passwords alone.

    `ports` has those of the bus and of its monitor. Raises Trouble when it cannot be started.
    """
    lanes = _lanes()
    try:
        binary = nats_binary()
    except NatsUnavailable as missing:
        raise Trouble(f"{missing}.", "`animatrix doctor` says what else is missing.") from missing
    config = write_config(
        folders.nats, ports[NATS], ports[f"{NATS}_monitor"], authorization(passwords)
    )
    _keep(folders.bus_passwords, passwords)
    nats_url = f"nats://127.0.0.1:{ports[NATS]}"
    return ChildSpec(
        name=NATS,
        argv=(binary, "-c", str(config)),
        env={"PATH": environment.get("PATH", os.defpath)},
        log=folders.log_of(NATS),
        ready_url=f"http://127.0.0.1:{ports[f'{NATS}_monitor']}/healthz?js-enabled-only=true",
        on_ready=_provisioning(nats_url, lanes, passwords[ADMIN]),
        ports=(("nats", ports[NATS]), ("monitor", ports[f"{NATS}_monitor"])),
    )


def _lanes() -> tuple[str, ...]:
    try:
        return all_lanes()
    except WorkflowCorrupt as damaged:
        raise Trouble(
            f"The workflows are not what their lock file says: {damaged}.",
            "Take the workflows folder from the repository again.",
        ) from damaged


def _keep(path: Path, passwords: Mapping[str, str]) -> None:
    """For whoever looks at the bus of a running system from outside; new at every start."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(passwords))


def _provisioning(
    nats_url: str, lanes: tuple[str, ...], password: str
) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        # After a restart too: what lies in memory, such as the progress stream, is gone then.
        await provision(nats_url, lanes, password=password)
        await prepare_media_store(SharedSettings())

    return run
