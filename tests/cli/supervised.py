"""A supervisor in a process of its own, with two fake services: `supervised.py VAR`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cli.folders import Folders, folders_at
from cli.ports import choose_ports
from cli.supervisor import end_stale_children, only_one
from cli.system import System
from cli.up import run
from tests.cli.fakes import fake_tier


async def at_once() -> None:
    """There is no engine to wait for."""


def main() -> None:
    """Run until a signal; exit code 0."""
    folders: Folders = folders_at(Path(sys.argv[1]))
    folders.make()
    with only_one(folders):
        end_stale_children(folders)
        ports = choose_ports(["one", "two"], folders.ports_file)
        tier = fake_tier(folders, ports)
        system = System("http://127.0.0.1:1", {"simulated": True, "url": None}, None, (tier,))
        asyncio.run(run(folders, system, at_once, as_json=True, began_s=0.0))


if __name__ == "__main__":
    main()
