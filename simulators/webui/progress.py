"""What the server tells about running work: the global state and the named tasks.

Owns the two progress answers of A1111 and the interrupted flag; thread-safe by simple
assignments. It runs nothing.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

REMEMBERED_TASKS = 16


@dataclass
class Progress:
    """The one global state of the server."""

    job: str = ""
    job_no: int = 0
    job_count: int = 0
    step: int = 0
    steps: int = 0
    interrupted: bool = False
    skipped: bool = False
    started_s: float = 0.0
    current_task: str | None = None
    waiting: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, job: str, steps: int, jobs: int) -> None:
        """A job starts; an earlier interrupt is forgotten."""
        self.job, self.job_no, self.job_count = job, 0, jobs
        self.step, self.steps = 0, steps
        self.interrupted = self.skipped = False
        self.started_s = time.monotonic()

    def end(self) -> None:
        """The job is over; whether it was interrupted stays readable."""
        self.job, self.job_count, self.step = "", 0, 0

    def wait_for(self, task_id: str) -> None:
        """A task waits for the lock."""
        with self.lock:
            self.waiting.append(task_id)

    def start(self, task_id: str) -> None:
        """The task has the lock."""
        with self.lock:
            self.waiting.remove(task_id)
            self.current_task = task_id

    def finish(self, task_id: str) -> None:
        """The task succeeded; the newest 16 are remembered.

        A failed task is never finished: the real server leaves it active.
        """
        with self.lock:
            self.current_task = None
            self.finished = [*self.finished, task_id][-REMEMBERED_TASKS:]

    @property
    def share(self) -> float:
        """How much of the running job is done, 0 to 1."""
        if not self.job_count:
            return 0.0
        within = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.job_no + within) / self.job_count)

    def global_answer(self) -> dict[str, Any]:
        """The body of GET /sdapi/v1/progress."""
        share = self.share
        spent_s = time.monotonic() - self.started_s
        return {
            "progress": share,
            "eta_relative": spent_s / share - spent_s if share else 0.0,
            "state": {
                "skipped": self.skipped,
                "interrupted": self.interrupted,
                "job": self.job,
                "job_count": self.job_count,
                "job_timestamp": "0",
                "job_no": self.job_no,
                "sampling_step": self.step,
                "sampling_steps": self.steps,
            },
            "current_image": None,
            "textinfo": None,
        }

    def task_answer(self, task_id: str) -> dict[str, Any]:
        """The body of POST /internal/progress for one task."""
        with self.lock:
            active = task_id == self.current_task
            queued = task_id in self.waiting
            completed = task_id in self.finished
        if not active:
            words = "In queue..." if queued else "Waiting..."
            return _task(active=False, queued=queued, completed=completed, textinfo=words)
        return _task(active=True, queued=False, completed=completed, progress=self.share)


def _task(**told: Any) -> dict[str, Any]:
    empty = {"progress": None, "eta": None, "live_preview": None, "textinfo": None}
    return {**empty, "id_live_preview": -1, **told}
