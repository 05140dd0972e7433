"""The table at the end of a chaos run, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.chaos.driver import EXECUTOR_SETTINGS, SYSTEM_SETTINGS, Outcome

NAMED_AT_MOST = 10


def report(outcome: Outcome) -> str:
    """The whole report; rows that must be 0 are followed by what is to blame."""
    wanted, verdict = outcome.wanted, outcome.verdict
    title = f"seed {wanted.seed}, {wanted.jobs} jobs, {wanted.kills} faults: "
    title += f"{'passed' if outcome.passed else 'FAILED'} after {outcome.took_s:.0f} s"
    must_be_0 = {
        **verdict.faults,
        "not accepted": outcome.refused,
        "failpoints hit too seldom": outcome.untouched,
    }
    rows = [("completed", len(verdict.completed))]
    rows += [(name, len(found)) for name, found in must_be_0.items()]
    blamed = [f"  {name}: {one}" for name, found in must_be_0.items() for one in _some(found)]
    return "\n".join(
        [
            title,
            "",
            *_table(rows),
            *blamed,
            "",
            f"failpoint hits (at least {wanted.least_hits} wanted of each)",
            *_table(outcome.hits.items()),
            "",
            f"faults injected: {outcome.injected.total()}",
            *_table(_by_kind(outcome.injected)),
            f"  ({outcome.missed.total()} more found their target down and are not counted)",
            "",
            *_table(outcome.notes.items()),
            "",
            f"{wanted.engines} engines and as many executors. The first is that of `animatrix up`;",
            "the others have failpoints, may serve two engines each, and are forked with their",
            "program loaded. Settings other than their defaults:",
            *(f"  {name}={value}" for name, value in (EXECUTOR_SETTINGS | SYSTEM_SETTINGS).items()),
            "",
        ]
    )


def _some(found: list[str]) -> list[str]:
    return found[:NAMED_AT_MOST]


def _by_kind(injected: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(injected.items())


def _table(rows: Iterable[tuple[str, int]]) -> list[str]:
    return [f"  {name:<52} {count:>6}" for name, count in rows]
