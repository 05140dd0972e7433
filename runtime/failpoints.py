"""Named places where a process may kill itself, to show that any moment may be its last.

Off unless ANIMATRIX_FAILPOINTS names one: a switch for tests of crashes, never for production.
Must not do anything but count and kill.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import structlog

Point = Literal[
    "after-check-before-post",
    "after-post-before-ack",
    "after-finish-before-publish",
]
POINTS: tuple[Point, ...] = get_args(Point)
PASSED, HIT = b".", b"x"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Failpoints:
    """Points with the chance of a kill at each, and how many kills of each are enough.

    `folder` keeps one byte per passage, by point.
    """

    chances: Mapping[str, float]
    seed: str
    folder: Path
    enough: int | None = None

    def reach(self, point: Point) -> None:
        """Counts the passage and, if the seed says so, ends the process with SIGKILL.

        Seed, point and the number of earlier passages decide; passages outlive the process.
        """
        chance = self.chances.get(point, 0.0)
        if chance <= 0 or (self.enough is not None and self.hits(point) >= self.enough):
            return
        descriptor = os.open(self.folder / point, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        passages = os.fstat(descriptor).st_size
        drawn = random.Random(f"{self.seed}:{point}:{passages}").random()  # noqa: S311 - a test
        os.write(descriptor, HIT if drawn < chance else PASSED)
        os.close(descriptor)
        if drawn < chance:
            os.kill(os.getpid(), signal.SIGKILL)

    def hits(self, point: Point) -> int:
        """How often the point has killed a process."""
        path = self.folder / point
        return path.read_bytes().count(HIT) if path.exists() else 0


def read_failpoints(environment: Mapping[str, str]) -> Failpoints | None:
    """What ANIMATRIX_FAILPOINTS ("point:chance,…") asks for; None when it is not set.

    ANIMATRIX_FAILPOINTS_DIR is needed with it; ANIMATRIX_FAILPOINTS_SEED defaults to 0 and
    ANIMATRIX_FAILPOINTS_ENOUGH to no limit. Raises ValueError for an unknown point, a chance that
    is none, or a missing folder.
    """
    wanted = environment.get("ANIMATRIX_FAILPOINTS", "")
    if not wanted:
        return None
    chances: dict[str, float] = {}
    for item in wanted.split(","):
        point, _, chance = item.strip().partition(":")
        if point not in POINTS:
            raise ValueError(f"ANIMATRIX_FAILPOINTS names {point!r}, which is not one of {POINTS}")
        chances[point] = float(chance)
        if not 0 <= chances[point] <= 1:
            raise ValueError(f"ANIMATRIX_FAILPOINTS: the chance of {point} is not within 0..1")
    folder = environment.get("ANIMATRIX_FAILPOINTS_DIR")
    if not folder:
        raise ValueError("ANIMATRIX_FAILPOINTS needs ANIMATRIX_FAILPOINTS_DIR")
    Path(folder).mkdir(parents=True, exist_ok=True)
    enough = environment.get("ANIMATRIX_FAILPOINTS_ENOUGH")
    return Failpoints(
        chances,
        environment.get("ANIMATRIX_FAILPOINTS_SEED", "0"),
        Path(folder),
        int(enough) if enough else None,
    )


def hits_in(folder: Path) -> dict[Point, int]:
    """How often each point killed a process."""
    failpoints = Failpoints({}, "", folder)
    return {point: failpoints.hits(point) for point in POINTS}


@cache
def armed() -> Failpoints | None:
    """This process's failpoints. Raises ValueError for a wrong setting: best at the start."""
    found = read_failpoints(os.environ)
    if found is not None:
        log.warning("failpoints are on: this process kills itself", chances=dict(found.chances))
    return found


def reach(point: Point) -> None:
    """Says that the process is at a named place; with failpoints on it may end here."""
    failpoints = armed()
    if failpoints is not None:
        failpoints.reach(point)
