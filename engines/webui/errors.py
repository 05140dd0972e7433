"""Every error that the WebUI client and its adapters raise, in one place.

Owns the names by which a caller tells apart a wrong request, a failed run, a result that is
gone, a stopped run and a success that is none. It decides nothing about retries, and no
message carries a credential or a whole answer body.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..http.errors import EngineError, EngineRefused, EngineUnreachable, ProtocolError, excerpt

__all__ = [
    "CapabilityMissing",
    "EngineError",
    "EngineRefused",
    "EngineUnreachable",
    "FieldError",
    "FileMissing",
    "FramesMissing",
    "GenerationFailed",
    "Interrupted",
    "JobCancelled",
    "JobFailed",
    "JobLost",
    "JobOverdue",
    "JobStalled",
    "NotAnimated",
    "Overdue",
    "ProtocolError",
    "RequestRefused",
    "ResultLost",
    "Stopped",
    "SubmitUncertain",
    "UnfitSettings",
    "UnreadablePicture",
    "WrongFrameCount",
    "excerpt",
]


class UnfitSettings(ValueError):
    """Settings that are never sent: the server would refuse, misread or be broken by them."""


class CapabilityMissing(EngineError):
    """The engine lacks something the job needs; `missing` are plain sentences."""

    def __init__(self, engine: str, missing: tuple[str, ...]) -> None:
        super().__init__(engine, "; ".join(missing))
        self.missing = missing


# -- one call of /sdapi


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field the server could not read: where it is, and what is wrong with it."""

    where: str
    message: str
    kind: str


class RequestRefused(EngineError):
    """A 4xx: the same request would be refused again. `kind` is the server's error name."""

    def __init__(
        self,
        engine: str,
        cause: str,
        *,
        status: int,
        kind: str,
        message: str,
        fields: tuple[FieldError, ...] = (),
    ) -> None:
        super().__init__(engine, cause)
        self.status = status
        self.kind = kind
        self.message = message
        self.fields = fields


class GenerationFailed(EngineError):
    """A 500: the run ended in an exception of type `kind` inside the server."""

    def __init__(
        self, engine: str, cause: str, *, kind: str, message: str, out_of_memory: bool
    ) -> None:
        super().__init__(engine, cause)
        self.kind = kind
        self.message = message
        self.out_of_memory = out_of_memory


class _TaskError(EngineError):
    def __init__(self, engine: str, task_id: str, cause: str) -> None:
        super().__init__(engine, cause)
        self.task_id = task_id


class ResultLost(_TaskError):
    """The request was sent and no answer came: it may have run, or still run, for nobody.

    The answer was the only copy of the result. Run it again and count the attempt; it waits
    in line behind the lost one unless that is interrupted first (`WebUIClient.abandon`).
    """


class Overdue(_TaskError):
    """No answer within the deadline; the run was told to stop."""


class Interrupted(_TaskError):
    """The run was told to stop; what came back is half done though the server says nothing.

    `by_us` is False where somebody else interrupted the server.
    """

    def __init__(self, engine: str, task_id: str, cause: str, *, by_us: bool) -> None:
        super().__init__(engine, task_id, cause)
        self.by_us = by_us


# -- a success that is none


class NotAnimated(EngineError):
    """A 200 in which AnimateDiff took no part: a plain still came back."""


class WrongFrameCount(EngineError):
    """Another number of frames than asked for."""

    def __init__(self, engine: str, cause: str, *, expected: int, found: int) -> None:
        super().__init__(engine, cause)
        self.expected = expected
        self.found = found


class FramesMissing(WrongFrameCount):
    """A job that succeeded and left no frame, or not all, where it said they are."""


class UnreadablePicture(EngineError):
    """A picture that cannot be decoded or has another size; `index` is its place, from 0."""

    def __init__(self, engine: str, cause: str, index: int) -> None:
        super().__init__(engine, cause)
        self.index = index


class FileMissing(EngineError):
    """The engine, or the shared folder, has no such file."""

    def __init__(self, engine: str, cause: str, path: str) -> None:
        super().__init__(engine, cause)
        self.path = path


# -- Deforum jobs


class Stopped(Enum):
    """What is known about a Deforum job that was told to stop."""

    STOPPED = "stopped"
    """It ran and moves no more."""
    ENDED = "ended"
    """It had ended by itself."""
    GONE = "gone"
    """The server does not know it (any more)."""
    MAY_RUN = "may_run"
    """Not sure: a queued job that was cancelled is run all the same."""


class SubmitUncertain(EngineError):
    """POST of a batch got no usable answer; look for the batch name before sending it again."""

    def __init__(self, engine: str, cause: str, batch_name: str) -> None:
        super().__init__(engine, cause)
        self.batch_name = batch_name


class _JobError(EngineError):
    def __init__(
        self, engine: str, job_id: str, cause: str, *, stopped: Stopped = Stopped.ENDED
    ) -> None:
        super().__init__(engine, cause)
        self.job_id = job_id
        self.stopped = stopped


class JobFailed(_JobError):
    """The job ended as FAILED; `retryable` is the server's word."""

    def __init__(self, engine: str, job_id: str, cause: str, *, retryable: bool) -> None:
        super().__init__(engine, job_id, cause)
        self.retryable = retryable


class JobCancelled(_JobError):
    """The job was cancelled, by us or (`by_us` False) by somebody else."""

    def __init__(
        self, engine: str, job_id: str, cause: str, *, stopped: Stopped, by_us: bool
    ) -> None:
        super().__init__(engine, job_id, cause, stopped=stopped)
        self.by_us = by_us


class JobStalled(_JobError):
    """The job runs and nothing of it moved for too long; it was told to stop."""


class JobOverdue(_JobError):
    """The job did not end within the deadline; it was told to stop."""


class JobLost(_JobError):
    """The server does not know the job any more: it was restarted. Run it again."""
