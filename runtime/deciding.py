"""Decides under the lock of a job: what is published follows from the state that it is stored on.

Owns the optimistic lock of a job's subtree and what is remembered of it between two decisions
(docs/decisions/0030). Must not know what a decision is about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from nats.js.errors import APIError

from contracts.events import AnyEvent, AnyJobEvent, JobSubmitted
from contracts.lifecycle import JobState, refusal
from contracts.subjects import job_subtree
from runtime.publishing import Publisher
from runtime.tail_memory import TailMemory, followed, nothing_said
from runtime.tails import JobTail

Decide = Callable[[JobState], AnyJobEvent | None]

_EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE = (10071, 10164)
"""The second is what a stream with copies says while another write is still on its way to them."""


class Decisions:
    """The decisions of one process about jobs."""

    def __init__(
        self, publisher: Publisher, read: Callable[[str], Awaitable[JobTail]], tails: TailMemory
    ) -> None:
        """`read` asks the bus for a job's tail and keeps it in `tails`."""
        self._publisher = publisher
        self._read = read
        self._tails = tails

    async def begin(self, event: JobSubmitted) -> None:
        """Store the first event of a job, and only as the first: what was said of it before stays.

        Raises BusUnavailable, NotDeclared.
        """
        self._tails.keep(event.job_id, nothing_said(event.job_id))
        await self.decide(event.job_id, lambda state: None if state.submitted else event)

    async def decide(self, job_id: str, decide: Decide) -> AnyJobEvent | None:
        """See Bus.decide."""
        remembered = self._tails.of(job_id)
        tail = remembered or await self._read(job_id)
        while True:
            try:
                event = decide(tail.state)
            except Exception:
                if tail is not remembered:
                    raise
                event = None  # what is refused is refused for the state that is, not that was
            if event is None or refusal(tail.state, event) is not None:
                if tail is not remembered:
                    return None
                tail, remembered = await self._read(job_id), None
                continue
            try:
                stored = await self._publisher.publish(event, _right_after(tail, job_id))
            except APIError as conflict:
                if conflict.err_code not in _WRONG_LAST_SEQUENCE:
                    raise
                tail, remembered = await self._read(job_id), None
                if any(e.event_id == event.event_id for e in tail.events):
                    # A timed-out publish that was stored after all made its own retry conflict.
                    return event
                continue
            if stored.duplicate:
                self._tails.forget(job_id)
            else:
                self._tails.keep(job_id, followed(tail, event, stored.seq))
            return event

    def learn(self, event: AnyEvent, headers: Mapping[str, str], sequence: int) -> None:
        """Remember the tail that a job's first event is, once delivered: its headers prove that
        nothing was before it. What came after it is found out as always, by the lock."""
        if not isinstance(event, JobSubmitted) or self._tails.of(event.job_id) is not None:
            return
        if headers.get(_EXPECTED_LAST) == "0":
            self._tails.keep(event.job_id, followed(nothing_said(event.job_id), event, sequence))


def _right_after(tail: JobTail, job_id: str) -> dict[str, str]:
    return {
        _EXPECTED_LAST: str(tail.last_sequence),
        f"{_EXPECTED_LAST}-Subject": job_subtree(job_id),
    }
