"""One job in the collector's hands: what it was to make, what its steps left, where work is done.

Owns how the documents of a job are read and held against each other. Must not make media.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contracts.events import ExecutionFinished
from contracts.plan import ExecutionReport, NormalizedJobRecord, RunPlan
from runtime.media_store import MediaStore
from services.collector.adapters.intake import copy_proved, read_document
from services.collector.faults import invalid
from services.collector.ordering import check_report

Tell = Callable[[float], None]
"""Told how much of the rendering is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a job was to make and what its steps left."""

    event: ExecutionFinished
    record: NormalizedJobRecord
    plan: RunPlan
    report: ExecutionReport


@dataclass(frozen=True, slots=True)
class Work:
    """A job, the store, a folder of its own, how long one program may run, and who is told."""

    job: Job
    media: MediaStore
    folder: Path
    deadline_s: float
    tell: Tell


async def read_job(event: ExecutionFinished, media: MediaStore) -> Job:
    """Report, plan and record of a finished execution. Raises ResultFault when one is absent,
    altered or of another job, or when the report does not tell of every step."""
    report = await read_document(media, event.report, ExecutionReport)
    plan = await read_document(media, report.run_plan, RunPlan)
    record = await read_document(media, plan.record, NormalizedJobRecord)
    if {event.job_id, record.job_id} != {plan.job_id}:
        raise invalid(f"record {record.job_id} and plan {plan.job_id} are not of this job")
    if event.attempt != report.attempt:
        raise invalid(f"the report is of attempt {report.attempt}, the event of {event.attempt}")
    check_report(plan, report)
    return Job(event, record, plan, report)


async def bring_soundtrack(work: Work) -> Path | None:
    """The soundtrack of the delivery on this machine, proved; None when there is none."""
    soundtrack = work.job.plan.delivery.soundtrack
    if soundtrack is None:
        return None
    path = work.folder / f"soundtrack{PurePosixPath(soundtrack.key).suffix}"
    await copy_proved(work.media, soundtrack, path)
    return path
