"""Remembers the newest tails that this process has seen of jobs, for decisions under their lock.

What is remembered may be old: it is good for an event that the server stores only if nothing came
after it, and for nothing else. Must not ask the bus.
"""

from __future__ import annotations

from collections import OrderedDict

from contracts.events import AnyJobEvent
from contracts.lifecycle import JobState, apply
from runtime.tails import JobTail

JOBS_AT_MOST = 256


class TailMemory:
    """The tails of the jobs seen last."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._tails: OrderedDict[str, JobTail] = OrderedDict()

    def of(self, job_id: str) -> JobTail | None:
        """The job's tail as it was last seen here, None when it is not remembered."""
        return self._tails.get(job_id)

    def keep(self, job_id: str, tail: JobTail) -> None:
        """Remember a tail that was read, or that an event of ours made."""
        self._tails[job_id] = tail
        self._tails.move_to_end(job_id)
        if len(self._tails) > JOBS_AT_MOST:
            self._tails.popitem(last=False)

    def forget(self, job_id: str) -> None:
        """Something may have come after it."""
        self._tails.pop(job_id, None)


def nothing_said(job_id: str) -> JobTail:
    """The tail of a job that nobody has heard of."""
    return JobTail(JobState(job_id), (), (), 0)


def followed(tail: JobTail, event: AnyJobEvent, sequence: int) -> JobTail:
    """The tail with an event that the server stored right behind it.

    Raises IllegalTransition when it may not follow.
    """
    return JobTail(
        apply(tail.state, event),
        (*tail.events, event),
        (*tail.sequences, sequence),
        sequence,
    )
