"""What became of the jobs, judged from the records of all sides. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

ENDS = ("job_completed", "job_failed", "job_cancelled")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which prompt is an attempt of which step of which job."""

    prompt_id: str
    job_id: str
    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class JobStory:
    """A job as the API told it at the end.

    `status` is None for a job that the API does not know; `delivery` lists what is wrong with
    the delivered files, `video` is the sha256 of the delivered video.
    """

    job_id: str
    status: str | None
    code: str | None = None
    ends: tuple[str, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    delivery: tuple[str, ...] = ()
    video: str = ""
    heard: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a prompt in an engine's journal.

    Whatever comes after `void_from` may rightly be a repetition: the engine had died by then, or
    had told of an error. Infinity while the result stands.
    """

    at: float
    engine: str
    prompt_id: str
    void_from: float


@dataclass(slots=True)
class Verdict:
    """Counts by row; every row of `faults` must be empty. Values are job ids or prompt ids."""

    completed: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    attempts: int = 0
    starts: int = 0

    @property
    def passed(self) -> bool:
        """True when nothing is to blame."""
        return not any(self.faults.values())


LOST, HUNG, FAILED = "lost", "hung", "failed honestly"
TWICE = "executed more than once although the engine lived"
STRANGE = "executed without being assigned"
UNVERIFIED = "completed without verified bytes"
SAME = "delivered another job's bytes"
ENDS_WRONG = "ended other than once"
UNHEARD = "ends that the stream missed or told twice"


def judge(jobs: Sequence[JobStory], journals: Mapping[str, Iterable[Mapping[str, Any]]]) -> Verdict:
    """The verdict; `journals` are the engines' own records by engine."""
    starts = [start for name, lines in journals.items() for start in starts_of(name, lines)]
    verdict = Verdict(
        completed=[j.job_id for j in jobs if j.status == "completed"],
        attempts=sum(len({(a.step, a.attempt) for a in j.assignments}) for j in jobs),
        starts=len(starts),
    )
    videos = Counter(j.video for j in jobs if j.video)
    verdict.faults = {
        FAILED: [f"{j.job_id} {j.code}" for j in jobs if j.status in ("failed", "cancelled")],
        LOST: [j.job_id for j in jobs if j.status is None],
        HUNG: [f"{j.job_id} {j.status}" for j in jobs if j.status and not _ended(j)],
        TWICE: executed_twice(jobs, starts),
        STRANGE: _unassigned(jobs, starts),
        UNVERIFIED: [f"{j.job_id} {'; '.join(j.delivery)}" for j in jobs if j.delivery],
        SAME: [j.job_id for j in jobs if videos[j.video] > 1],
        ENDS_WRONG: [f"{j.job_id} {j.ends}" for j in jobs if _ended(j) and len(j.ends) != 1],
        UNHEARD: [f"{j.job_id} {j.heard}" for j in jobs if _ended(j) and j.heard != (j.status,)],
    }
    return verdict


def starts_of(engine: str, lines: Iterable[Mapping[str, Any]]) -> list[Start]:
    """The starts in one engine's journal."""
    entries = list(lines)
    found = []
    for at, entry in enumerate(entries):
        if entry["event"] != "started":
            continue
        void = (e["time"] for e in entries[at + 1 :] if _voids(e, entry["prompt_id"]))
        found.append(Start(entry["time"], engine, entry["prompt_id"], next(void, inf)))
    return found


def _voids(entry: Mapping[str, Any], prompt_id: str) -> bool:
    if entry["event"] == "finished":
        return bool(entry["prompt_id"] == prompt_id and entry["outcome"] == "error")
    return bool(entry["event"] == "boot")


def executed_twice(jobs: Sequence[JobStory], starts: Iterable[Start]) -> list[str]:
    """Steps that were started again although an earlier start stood, one entry for each."""
    place = {a.prompt_id: (a.job_id, a.step) for j in jobs for a in j.assignments}
    by_step: dict[tuple[str, int], list[Start]] = defaultdict(list)
    for start in starts:
        by_step[place.get(start.prompt_id, (start.prompt_id, 0))].append(start)
    found = []
    for (job_id, step), some in by_step.items():
        some.sort(key=lambda start: start.at)
        pairs = pairwise(some)
        found += [f"{job_id} step {step}" for one, next_ in pairs if next_.at < one.void_from]
    return found


def _unassigned(jobs: Sequence[JobStory], starts: Iterable[Start]) -> list[str]:
    known = {a.prompt_id for j in jobs for a in j.assignments}
    return sorted({start.prompt_id for start in starts} - known)


def _ended(job: JobStory) -> bool:
    return job.status in ("completed", "failed", "cancelled")
