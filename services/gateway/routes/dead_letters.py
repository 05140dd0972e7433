"""Dead letters for operators: list, read, replay, discard."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from contracts.errors import ErrorCode
from contracts.events import AssetEvent
from services.gateway.deps import Needs, Who
from services.gateway.problems import responses
from services.gateway.redelivery import (
    Done,
    Letter,
    LetterState,
    discard_letter,
    find_letter,
    list_letters,
    replay_letter,
)

router = APIRouter(prefix="/api/admin/dead-letters", tags=["admin"])
_C = ErrorCode
Sequence = Annotated[int, Path(ge=0, le=2**63 - 1)]
"""A place in the stream; more than the bus and the database can hold is no place."""
_FOUND = responses(_C.NOT_FOUND, _C.UNAVAILABLE)
_DEALT = responses(_C.NOT_FOUND, _C.DEAD_LETTER_SETTLED, _C.UNAVAILABLE)


class DeadLetterView(BaseModel):
    """A message that a service gave up. `sequence` names it here; `stream` and `stream_sequence`
    say where the message itself lies."""

    sequence: int
    at: datetime
    state: LetterState
    consumer: str
    deliveries: int
    reason: str
    stream: str
    stream_sequence: int
    subject: str | None
    event: str | None
    job_id: str | None
    asset_id: str | None
    dealt_by: str | None
    dealt_at: datetime | None


class DeadLetterPage(BaseModel):
    """Dead letters, newest first; `next_before` is the value of `before` that leads on."""

    dead_letters: list[DeadLetterView]
    next_before: int | None


class DeadLetterDetail(DeadLetterView):
    """A dead letter with its message as text, why it could not be read (if so), and its job."""

    payload: str | None
    problem: str | None
    job_status: str | None


class DeadLetterDone(BaseModel):
    """What became of a dead letter."""

    done: Done
    letter: DeadLetterView


def _fields(letter: Letter) -> dict[str, object]:
    advisory, original, dealt = letter.advisory, letter.original, letter.dealt
    return {
        "sequence": advisory.sequence,
        "at": advisory.at,
        "state": letter.state,
        "consumer": advisory.consumer,
        "deliveries": advisory.deliveries,
        "reason": advisory.reason,
        "stream": advisory.stream,
        "stream_sequence": advisory.stream_sequence,
        "subject": original.subject if original else None,
        "event": letter.event.event if letter.event else None,
        "job_id": letter.job_id,
        "asset_id": letter.event.asset_id if isinstance(letter.event, AssetEvent) else None,
        "dealt_by": dealt.dealt_by if dealt else None,
        "dealt_at": dealt.dealt_at if dealt else None,
    }


def _view(letter: Letter) -> DeadLetterView:
    return DeadLetterView.model_validate(_fields(letter))


@router.get("", responses=responses(_C.BODY_INVALID, _C.UNAVAILABLE))
async def list_dead_letters(
    deps: Needs,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    state: LetterState | None = None,
) -> DeadLetterPage:
    """What services gave up, newest first."""
    letters, next_before = await list_letters(deps, limit=limit, before=before, state=state)
    return DeadLetterPage(dead_letters=[_view(one) for one in letters], next_before=next_before)


@router.get("/{sequence}", responses=_FOUND)
async def read_dead_letter(deps: Needs, sequence: Sequence) -> DeadLetterDetail:
    """One dead letter with the message that was given up."""
    letter = await find_letter(deps, sequence)
    original = letter.original
    status = (await deps.bus.job(letter.job_id)).state.state if letter.job_id else None
    return DeadLetterDetail.model_validate(
        {
            **_fields(letter),
            "payload": original.payload.decode(errors="replace") if original else None,
            "problem": original.problem if original else None,
            "job_status": status,
        }
    )


@router.post("/{sequence}/replay", responses=_DEALT)
async def replay_dead_letter(deps: Needs, caller: Who, sequence: Sequence) -> DeadLetterDone:
    """Take up again what was given up: its message is delivered again, or its failed job runs
    again from where it failed."""
    letter, done = await replay_letter(deps, caller, sequence)
    return DeadLetterDone(done=done, letter=_view(letter))


@router.post("/{sequence}/discard", responses=_DEALT)
async def discard_dead_letter(deps: Needs, caller: Who, sequence: Sequence) -> DeadLetterDone:
    """Put a dead letter away: nothing is to be done about it."""
    return DeadLetterDone(
        done="discarded", letter=_view(await discard_letter(deps, caller, sequence))
    )
