"""Finds the MinIO server, or builds it once from source: `python -m tests.stores.minio_binary`.

Must not start anything.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
"""Pinned: Go checks it against its checksum database."""


def cached_binary() -> Path:
    """Where a built server lies."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "animatrix" / "bin" / f"minio-{VERSION}"


def find_minio() -> str | None:
    """A server that is there already: the built one, or one on PATH."""
    cached = cached_binary()
    return str(cached) if os.access(cached, os.X_OK) else shutil.which("minio")


def build_minio() -> str:
    """Build the server unless it is there; takes some minutes the first time.

    Raises subprocess.CalledProcessError, or FileNotFoundError when there is no Go.
    """
    target = cached_binary()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "minio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find_minio()
        if found is not None:
            return found
        staging = target.parent / "building"
        environment = {**os.environ, "GOBIN": str(staging), "CGO_ENABLED": "0"}
        # Within the tests nobody is trusted; modules come from the outside world.
        environment.pop("SSL_CERT_FILE", None)
        build = ["go", "install", "-trimpath", "-ldflags", "-s -w"]
        subprocess.run(
            [*build, f"github.com/minio/minio@{VERSION}"],
            env=environment,
            check=True,
            preexec_fn=lambda: os.nice(10) and None,
        )
        (staging / "minio").replace(target)
    return str(target)


if __name__ == "__main__":
    sys.stdout.write(f"{build_minio()}\n")
