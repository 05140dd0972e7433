"""Specs of the fake service, for the supervisor's tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from cli.children import ChildSpec
from cli.folders import Folders
from cli.supervisor import Tier

PROGRAM = Path(__file__).with_name("fake_service.py")


def fake_spec(folders: Folders, name: str, port: int, *options: str) -> ChildSpec:
    """One fake service on a port."""
    return ChildSpec(
        name=name,
        argv=(sys.executable, "-I", "-S", str(PROGRAM), str(port), *options),
        env={"PATH": os.environ["PATH"]},
        log=folders.log_of(name),
        ready_url=f"http://127.0.0.1:{port}/readyz",
        ports=(("http", port),),
    )


def fake_tier(folders: Folders, ports: Mapping[str, int], *options: str) -> Tier:
    """A fake service for every named port."""
    return Tier(tuple(fake_spec(folders, name, port, *options) for name, port in ports.items()))
