"""Fixtures that every test may use, and the machine as tests find it. The parts live in
tests/support."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of its own in it
ROOM_NEEDED_BYTES = 6 << 30

if (
    "TMPDIR" not in os.environ
    and os.access(MEMORY_FOLDER, os.W_OK)
    and shutil.disk_usage(MEMORY_FOLDER).free > ROOM_NEEDED_BYTES
):
    # Every event, row and file is synced, and no test cuts the power: on a disk that takes 8 ms
    # for a sync, half of the suite would be waiting for it.
    os.environ["TMPDIR"] = str(MEMORY_FOLDER)
    tempfile.tempdir = None

# Nobody out there is trusted in a test. And reading all the world's authorities takes 0.1 to 0.3 s
# for each HTTP client that is made.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "support" / "nobody.pem")

pytest_plugins = ["tests.support.stuck"]

from tests.support.bus import (  # noqa: E402 - imports read the environment
    bus_factory,
    media_store,
    nats_server,
    provisioned,
)

__all__ = ["bus_factory", "media_store", "nats_server", "provisioned"]
