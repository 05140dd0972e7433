"""What an operator does about dead letters: finds them, delivers them again, or discards them.

Owns the rule what a replay means for a job that was failed for the letter. The letters stay in
their stream for ever; that they were dealt with stands in `app`. Ending jobs is `dead_letters`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog

from contracts.errors import ErrorCode
from contracts.events import AnyEvent, AssetEvent, JobEvent
from contracts.lifecycle import JobState
from contracts.subjects import DEADLETTERS_STREAM, job_of
from runtime.dead_letters import Advisory, Original
from runtime.stamp import now
from services.gateway.access.caller import Caller
from services.gateway.adapters.db.dealt_letters import Action, Dealt
from services.gateway.deps import Deps
from services.gateway.ending import retry_job
from services.gateway.problems import Refused, refused

log = structlog.get_logger()
READ_AT_ONCE = 200
LetterState = Literal["open", "replayed", "discarded"]
Done = Literal["delivered_again", "job_retried", "discarded"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with its message (None when it is gone) and what was done about it."""

    advisory: Advisory
    original: Original | None
    dealt: Dealt | None

    @property
    def state(self) -> LetterState:
        """Open until somebody dealt with it."""
        return self.dealt.action if self.dealt else "open"

    @property
    def event(self) -> AnyEvent | None:
        """The event that was given up, None when it is gone or unreadable."""
        return self.original.event if self.original else None

    @property
    def job_id(self) -> str | None:
        """The job that it belongs to, if any."""
        if isinstance(self.event, JobEvent):
            return self.event.job_id
        return job_of(self.original.subject) if self.original else None


def no_such_letter() -> Refused:
    """The refusal for a place that holds no dead letter."""
    return refused(ErrorCode.NOT_FOUND, sentence="There is no such dead letter.")


async def list_letters(
    deps: Deps, *, limit: int, before: int | None, state: LetterState | None
) -> tuple[list[Letter], int | None]:
    """Up to `limit` letters below the place `before`, newest first, and the place to go on from.

    Raises BusUnavailable.
    """
    extent = await deps.bus.stream_state(DEADLETTERS_STREAM)
    upper = extent.last_sequence if before is None else min(before - 1, extent.last_sequence)
    found: list[Letter] = []
    while upper >= max(1, extent.first_sequence):
        lower = max(1, extent.first_sequence, upper - READ_AT_ONCE + 1)
        advisories = await deps.bus.advisories(lower, upper)
        dealt = await deps.dealt.find([a.advisory_id for a in advisories])
        for advisory in reversed(advisories):
            done = dealt.get(advisory.advisory_id)
            if state is not None and state != (done.action if done else "open"):
                continue
            found.append(Letter(advisory, await deps.bus.original(advisory), done))
            if len(found) == limit:
                return found, advisory.sequence
        upper = lower - 1
    return found, None


async def find_letter(deps: Deps, sequence: int) -> Letter:
    """The letter at a place in the stream. Raises Refused NOT_FOUND, BusUnavailable."""
    advisories = await deps.bus.advisories(sequence, sequence) if sequence > 0 else []
    if not advisories:
        raise no_such_letter()
    (advisory,) = advisories
    dealt = await deps.dealt.find([advisory.advisory_id])
    original = await deps.bus.original(advisory)
    return Letter(advisory, original, dealt.get(advisory.advisory_id))


def way_of(letter: Letter, job: JobState | None, *, checking: bool) -> Literal["deliver", "retry"]:
    """How the work that was given up is taken up again.

    A job that was failed for the letter runs again as a retry, because its services leave a failed
    job alone. Raises Refused where nothing would come of it.
    """
    if letter.original is None:
        raise _pointless("Its message is gone.")
    if job is not None and job.state is not None:
        if job.state == "failed" and not job.deleted:
            return "retry"
        if job.ended or job.deleted:
            raise _pointless(f"Its job is {'deleted' if job.deleted else job.state}.")
    if isinstance(letter.event, AssetEvent) and not checking:
        raise _pointless("Its file was decided on; upload it again where it was rejected.")
    return "deliver"


def _pointless(why: str) -> Refused:
    return refused(
        ErrorCode.DEAD_LETTER_SETTLED,
        sentence=f"Delivering it again would change nothing. {why}",
        remedy="Discard it.",
    )


async def replay_letter(deps: Deps, caller: Caller, sequence: int) -> tuple[Letter, Done]:
    """Take up again what was given up; returns the letter and what was done.

    Delivered first and remembered then: a crash in between leaves the letter open, and a repeat is
    stored once or changes nothing. Raises Refused NOT_FOUND, DEAD_LETTER_SETTLED; BusUnavailable.
    """
    letter = await _open_letter(deps, sequence)
    job = (await deps.bus.job(letter.job_id)).state if letter.job_id else None
    if way_of(letter, job, checking=await _is_checking(deps, letter)) == "retry" and letter.job_id:
        await retry_job(deps, caller, letter.job_id)
        return await _deal(deps, caller, letter, "replayed"), "job_retried"
    if letter.original is not None:
        await deps.bus.deliver_again(letter.advisory, letter.original)
    return await _deal(deps, caller, letter, "replayed"), "delivered_again"


async def discard_letter(deps: Deps, caller: Caller, sequence: int) -> Letter:
    """Remember that nothing is to be done. Raises as `replay_letter` does."""
    return await _deal(deps, caller, await _open_letter(deps, sequence), "discarded")


async def _is_checking(deps: Deps, letter: Letter) -> bool:
    if not isinstance(letter.event, AssetEvent):
        return False
    tail = await deps.bus.asset(letter.event.asset_id)
    return all(event.event == "asset_uploaded" for event in tail.events)


async def _open_letter(deps: Deps, sequence: int) -> Letter:
    letter = await find_letter(deps, sequence)
    if letter.dealt is not None:
        raise _settled(letter.dealt)
    return letter


async def _deal(deps: Deps, caller: Caller, letter: Letter, action: Action) -> Letter:
    dealt = Dealt(letter.advisory.advisory_id, action, caller.owner, now())
    if not await deps.dealt.keep(dealt):
        kept = await deps.dealt.find([dealt.advisory_id])
        raise _settled(kept[dealt.advisory_id])
    log.info("dead letter dealt with", action=action, sequence=letter.advisory.sequence)
    return Letter(letter.advisory, letter.original, dealt)


def _settled(dealt: Dealt) -> Refused:
    return refused(
        ErrorCode.DEAD_LETTER_SETTLED,
        sentence=f"This dead letter was {dealt.action} already.",
        remedy="Nothing is left to do.",
    )
