"""Follows a job to its end: the stream tells at once, and when it breaks the job is asked.

Owns the reading of a job's events and how they are shown. Must not change anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cli.answers import ENDED, Fault, Job, Percent
from cli.client import ApiClient
from cli.sse import Message

RECONNECT_S = 0.5
SETTLED_WITHIN_S, SETTLED_EVERY_S = 20.0, 0.1
SAYS = {
    "accepted": "preparing",
    "uploaded": "prepared",
    "queued": "waiting",
    "executing": "generating",
    "collecting_outputs": "verifying",
    "completed": "finished",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Update:
    """The latest that is known of a job."""

    status: str
    percent: float
    error: Fault | None = None


def updates(client: ApiClient, job_id: str) -> Iterator[Update]:
    """What happens to a job, to its end. Lost connections are taken up where they broke.

    Raises Trouble when the server stays away or does not know the job.
    """
    known, last_id = _of(client.job(job_id)), ""
    yield known
    while known.status not in ENDED:
        try:
            with client.stream(job_id, last_id) as stream:
                for message in stream:
                    last_id = message.last_id or last_id
                    known = _after(known, message)
                    yield known
        except httpx.TransportError:
            time.sleep(RECONNECT_S)
        if known.status not in ENDED:
            # The stream may have ended because everything was seen; the job itself knows.
            known = _of(client.job(job_id))
            yield known


def _of(job: Job) -> Update:
    percent = job.progress.percent if job.progress else 0.0
    return Update(job.status, percent, job.error)


def _after(known: Update, message: Message) -> Update:
    """The update that a message makes; one that cannot be read changes nothing."""
    try:
        data = json.loads(message.data)
        if message.event == "progress":
            percent = Percent.model_validate(data["progress"]).percent
            return Update(known.status, max(percent, known.percent), known.error)
        status = str(data["status"])
        error = Fault.model_validate(data["error"]) if data.get("error") else None
    except (ValueError, KeyError, TypeError, ValidationError):
        return known
    percent = 100.0 if status == "completed" else known.percent
    return Update(status, percent, error)


def watch(client: ApiClient, job_id: str, title: str, console: Console) -> Job:
    """Show a job's progress until it ends; returns it."""
    bar = Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    shown = ""
    client.job(job_id)  # An unknown job is refused before anything is shown.
    with bar:
        task = bar.add_task(title, total=100)
        for update in updates(client, job_id):
            says = SAYS.get(update.status, update.status)
            bar.update(task, completed=update.percent, description=f"{title}: {says}")
            if says != shown and not console.is_terminal:
                console.print(f"{title}: {says}", highlight=False)
            shown = says
    return _ended(client, job_id)


def _ended(client: ApiClient, job_id: str) -> Job:
    """The job as the server answers once its records have come as far as its stream."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    job = client.job(job_id)
    while not job.ended and time.monotonic() < deadline:
        time.sleep(SETTLED_EVERY_S)
        job = client.job(job_id)
    return job
