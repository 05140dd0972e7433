"""`python -m tests.chaos --seed 1 --jobs 200 --kills 100`: a chaos run with a table at its end.

The exit code is 0 only when every row but the first is 0.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.driver import Wanted, run
from tests.chaos.report import report

SETTLE_S = 120.0
SETTLE_PER_JOB_S = 0.5
"""A machine with two cores and the verification of every job on them finishes two a second."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100, help="how many faults are injected")
    parser.add_argument("--pace", type=float, default=1.8, help="mean seconds between faults")
    parser.add_argument("--hits", type=int, default=22, help="hits of every failpoint, at most")
    parser.add_argument("--least-hits", type=int, default=20, help="and at least, to pass")
    parser.add_argument("--engines", type=int, default=5)
    parser.add_argument("--settle", type=float, help="seconds for the jobs after the last fault")
    parser.add_argument("--folder", type=Path, help="keeps logs and data (default: a new one)")
    return parser.parse_args()


def main() -> int:
    """Run, print the table, and say by the exit code whether all is well."""
    given = _arguments()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="animatrix-chaos-"))
    wanted = Wanted(
        given.seed,
        given.jobs,
        given.kills,
        engines=given.engines,
        pace_s=given.pace,
        hits=given.hits,
        least_hits=given.least_hits,
        settle_s=given.settle or SETTLE_S + SETTLE_PER_JOB_S * given.jobs,
    )
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {line}\n")
        sys.stderr.flush()

    outcome = asyncio.run(run(folder, wanted, say))
    sys.stdout.write(report(outcome))
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
