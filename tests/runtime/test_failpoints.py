"""Failpoints: off by default, seeded, counted over the deaths of processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.failpoints import POINTS, hits_in, read_failpoints

CODE = "from runtime.failpoints import reach\nfor _ in range(50): reach('after-post-before-ack')"


def _passes(folder: Path, wanted: str, seed: str = "1") -> int:
    own = {
        "ANIMATRIX_FAILPOINTS": wanted,
        "ANIMATRIX_FAILPOINTS_DIR": str(folder),
        "ANIMATRIX_FAILPOINTS_SEED": seed,
    }
    return subprocess.run(
        [sys.executable, "-c", CODE], env={**os.environ, **own}, check=False
    ).returncode


def test_nothing_happens_without_the_variable(tmp_path: Path) -> None:
    assert read_failpoints({}) is None
    assert _passes(tmp_path, "") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_hit_kills_the_process_and_is_counted(tmp_path: Path) -> None:
    assert _passes(tmp_path, "after-post-before-ack:1") == -signal.SIGKILL
    assert _passes(tmp_path, "after-post-before-ack:1") == -signal.SIGKILL
    assert hits_in(tmp_path) == {**dict.fromkeys(POINTS, 0), "after-post-before-ack": 2}


def test_the_same_seed_hits_the_same_passages(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for _ in range(4):
            _passes(tmp_path / name, "after-post-before-ack:0.1")
    one, two = ((tmp_path / n / "after-post-before-ack").read_bytes() for n in ("one", "two"))
    assert one == two
    assert b"x" in one
    assert b"." in one


def test_enough_hits_are_enough(tmp_path: Path) -> None:
    environment = {
        "ANIMATRIX_FAILPOINTS": "after-post-before-ack:1",
        "ANIMATRIX_FAILPOINTS_DIR": str(tmp_path),
        "ANIMATRIX_FAILPOINTS_ENOUGH": "1",
    }
    assert _passes(tmp_path, "after-post-before-ack:1") == -signal.SIGKILL
    failpoints = read_failpoints(environment)
    assert failpoints is not None
    failpoints.reach("after-post-before-ack")
    assert failpoints.hits("after-post-before-ack") == 1


@pytest.mark.parametrize(
    "wanted", ["elsewhere:0.5", "after-post-before-ack", "after-post-before-ack:2"]
)
def test_a_wrong_setting_is_refused(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ValueError, match=r"ANIMATRIX_FAILPOINTS|convert"):
        read_failpoints({"ANIMATRIX_FAILPOINTS": wanted, "ANIMATRIX_FAILPOINTS_DIR": str(tmp_path)})
