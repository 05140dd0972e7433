"""What an error of the WebUI client means for a step.

Pure. Owns the line between what is tried again as a counted attempt and what ends the job, and
with which code. A success that is none is an error here like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.errors import ErrorCode
from engines.webui import (
    CapabilityMissing,
    EngineError,
    GenerationFailed,
    Interrupted,
    JobCancelled,
    JobFailed,
    JobLost,
    JobOverdue,
    JobStalled,
    NotAnimated,
    Overdue,
    ProtocolError,
    RequestRefused,
    ResultLost,
    SubmitUncertain,
    UnreadablePicture,
    WrongFrameCount,
)
from services.executor import attempts
from services.executor.attempts import Again, GiveUp

_MEMORY = re.compile(r"out of memory|OutOfMemory", re.IGNORECASE)
_INJECTED = re.compile(r"einops|rearrange|motion.?module", re.IGNORECASE)


class FramesWithheld(EngineError):
    """The engine says 403 to frames that it made: it may not serve the folder they lie in."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known beside the error: attempts so far, and what kind of run it was.

    `plain` is a run without AnimateDiff on an engine that has it loaded.
    """

    tries: int
    max_attempts: int
    oom_before: bool
    plain: bool


def is_out_of_memory(error: EngineError) -> bool:
    """Whether the engine ran out of memory."""
    if isinstance(error, GenerationFailed):
        return error.out_of_memory
    return isinstance(error, JobFailed) and bool(_MEMORY.search(error.cause))


def is_poisoned(error: EngineError, *, plain: bool) -> bool:
    """Whether an earlier animation left its motion module in the engine.

    A run without AnimateDiff then fails inside the module until an animation succeeds (facts on
    WebUI, trap 2).
    """
    return plain and isinstance(error, GenerationFailed) and bool(_INJECTED.search(error.cause))


def verdict_on(error: EngineError, known: Situation) -> Again | GiveUp:
    """Another attempt or the end."""
    detail, tries, most = error.cause, known.tries, known.max_attempts
    match error:
        case ResultLost() | JobLost() | SubmitUncertain():
            return attempts.after_loss(tries, most, detail)
        case Interrupted() | JobCancelled():
            return attempts.after_loss(tries, most, f"stopped from outside: {detail}")
        case JobStalled():
            return attempts.after_loss(tries, most, detail, ErrorCode.GENERATION_STALLED)
        case GenerationFailed() | JobFailed() if is_out_of_memory(error):
            return attempts.after_failure(
                detail, oom=True, oom_before=known.oom_before, tries=tries, max_attempts=most
            )
        case JobFailed(retryable=True):
            return attempts.after_loss(tries, most, detail, ErrorCode.ENGINE_FAILED)
        case GenerationFailed() if is_poisoned(error, plain=known.plain):
            return attempts.after_loss(tries, most, detail, ErrorCode.ENGINE_POISONED)
        case _:
            return GiveUp(_code_of(error), detail)


def _code_of(error: EngineError) -> ErrorCode:
    match error:
        case CapabilityMissing():
            return ErrorCode.ENGINE_LACKS_PART
        case RequestRefused():
            return ErrorCode.ENGINE_REFUSED
        case Overdue() | JobOverdue():
            return ErrorCode.GENERATION_TIMEOUT
        case NotAnimated():
            return ErrorCode.NOT_ANIMATED
        case WrongFrameCount():
            return ErrorCode.FRAMES_MISSING
        case FramesWithheld():
            return ErrorCode.FRAMES_WITHHELD
        case UnreadablePicture() | ProtocolError():
            return ErrorCode.RESULT_INVALID
        case _:
            return ErrorCode.ENGINE_FAILED
