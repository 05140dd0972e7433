"""The routes under /deforum_api: batches and jobs.

Owns what is sent to each and what a job's status says. It follows no job and trusts no
status: SUCCEEDED proves no frame and CANCELLED no end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any
from urllib.parse import quote

import httpx

from ..http.transport import Transport
from .errors import CapabilityMissing, EngineUnreachable, ProtocolError, SubmitUncertain, excerpt
from .refusals import error_for

_BATCHES, _JOBS = "/deforum_api/batches", "/deforum_api/jobs"


class Category(StrEnum):
    """How a job is said to stand."""

    ACCEPTED = "ACCEPTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Phase(StrEnum):
    """What a job is said to do."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    GENERATING = "GENERATING"
    POST_PROCESSING = "POST_PROCESSING"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job at one moment; `share` is 0 to 1 within its phase, times are Unix seconds."""

    job_id: str
    status: Category
    phase: Phase
    share: float
    updates: int
    started_at: float
    retryable: bool
    message: str
    outdir: str | None
    timestring: str | None
    batch_name: str

    @property
    def ended(self) -> bool:
        """Whether it moves no more; a cancelled one may."""
        return self.status in (Category.SUCCEEDED, Category.FAILED)

    @property
    def mark(self) -> tuple[object, ...]:
        """Changes whenever the job moves."""
        return (self.status, self.phase, self.share, self.updates)


class Deleted(Enum):
    """What DELETE of a job answered."""

    CANCELLED = "cancelled"
    NOT_CANCELLABLE = "not_cancellable"
    UNKNOWN = "unknown"


class DeforumJobs:
    """Batches and jobs of one server; `WebUIClient.deforum`.

    Methods raise EngineUnreachable, EngineRefused, ProtocolError where nothing else is said,
    and CapabilityMissing where the server has no Deforum API.
    """

    def __init__(self, http: Transport, interrupt: Callable[[], Awaitable[None]]) -> None:
        self._http = http
        self.interrupt = interrupt
        self.withdrawn: set[str] = set()

    @property
    def engine(self) -> str:
        """The engine's address, without secrets."""
        return self._http.engine

    async def submit(self, settings: Mapping[str, Any]) -> str:
        """POST of a batch of one; the job's id. Sent once.

        Raises SubmitUncertain when it may have been accepted, EngineUnreachable when it was
        certainly not, RequestRefused.
        """
        name = str(settings.get("batch_name", ""))
        body = {"deforum_settings": dict(settings), "options_overrides": {}}
        try:
            answer = await self._http.send_once("POST", _BATCHES, body=body)
        except httpx.HTTPError as error:
            cause = f"POST {_BATCHES}: {type(error).__name__} {error}"
            raise SubmitUncertain(self.engine, cause, name) from error
        self._http.raise_if_barred("POST", _BATCHES, answer)
        if answer.status == 404:
            raise self._absent()
        if answer.status == 429:
            raise EngineUnreachable(self.engine, f"POST {_BATCHES}: 429 {answer.text()}")
        if 400 <= answer.status < 500:
            raise error_for(self.engine, "POST", _BATCHES, answer)
        if answer.status != 202:
            cause = f"POST {_BATCHES}: {answer.status} {answer.text()}"
            raise SubmitUncertain(self.engine, cause, name)
        try:
            taken = self._http.json_object(
                "POST", _BATCHES, type(answer)(200, answer.body, answer.content_type)
            )
        except ProtocolError as error:
            raise SubmitUncertain(self.engine, error.cause, name) from error
        job_ids = taken.get("job_ids")
        if not isinstance(job_ids, list) or len(job_ids) != 1 or not isinstance(job_ids[0], str):
            raise SubmitUncertain(self.engine, f"POST {_BATCHES}: no job id", name)
        return job_ids[0]

    async def jobs(self) -> tuple[JobStatus, ...]:
        """GET of all jobs since the server's start, in the order of their start."""
        answer = await self._http.ask("GET", _JOBS)
        if answer.status == 404:
            raise self._absent()
        body = self._http.json_object("GET", _JOBS, answer)
        found = [self._status(item) for item in body.values() if isinstance(item, Mapping)]
        return tuple(sorted(found, key=lambda job: job.started_at))

    async def job(self, job_id: str) -> JobStatus | None:
        """GET of one job; None for one the server does not know (any more)."""
        path = f"{_JOBS}/{quote(job_id, safe='')}"
        answer = await self._http.ask("GET", path)
        if answer.status == 404:
            return None
        return self._status(self._http.json_object("GET", path, answer))

    async def batch(self, batch_id: str) -> tuple[JobStatus, ...] | None:
        """GET of a batch's jobs; None for an unknown one, for which the server breaks (500)."""
        path = f"{_BATCHES}/{quote(batch_id, safe='')}"
        answer = await self._http.ask("GET", path, known=(500,))
        if answer.status in (404, 500):
            return None
        body = self._http.json_value("GET", path, answer)
        if not isinstance(body, list):
            raise ProtocolError(self.engine, f"GET {path}: no list")
        return tuple(self._status(item) for item in body if isinstance(item, Mapping))

    async def find(self, batch_name: str) -> JobStatus | None:
        """The newest job of that batch name: how a job is found again without its id."""
        named = [job for job in await self.jobs() if job.batch_name == batch_name]
        return named[-1] if named else None

    async def delete(self, job_id: str) -> Deleted:
        """DELETE of one job: a request to stop, which a queued job does not heed."""
        path = f"{_JOBS}/{quote(job_id, safe='')}"
        answer = await self._http.ask("DELETE", path)
        known = {
            200: Deleted.CANCELLED,
            400: Deleted.NOT_CANCELLABLE,
            404: Deleted.UNKNOWN,
        }
        if answer.status not in known:
            cause = f"DELETE {path}: unexpected {answer.status}: {answer.text()}"
            raise ProtocolError(self.engine, cause)
        return known[answer.status]

    def _absent(self) -> CapabilityMissing:
        return CapabilityMissing(self.engine, ("The server has no Deforum API.",))

    def _status(self, body: Mapping[str, Any]) -> JobStatus:
        try:
            status, phase = Category(str(body.get("status"))), Phase(str(body.get("phase")))
        except ValueError as error:
            told = excerpt(str(error))
            raise ProtocolError(self.engine, f"a Deforum job of another shape: {told}") from error
        settings = body.get("deforum_settings")
        share = body.get("phase_progress")
        return JobStatus(
            job_id=str(body.get("id")),
            status=status,
            phase=phase,
            share=min(1.0, max(0.0, float(share))) if isinstance(share, int | float) else 0.0,
            updates=int(body.get("updates") or 0),
            started_at=float(body.get("started_at") or 0),
            retryable=body.get("error_type") == "RETRYABLE",
            message=excerpt(str(body.get("message") or "")),
            outdir=_text(body.get("outdir")),
            timestring=_text(body.get("timestring")),
            batch_name=str(settings.get("batch_name")) if isinstance(settings, Mapping) else "",
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
