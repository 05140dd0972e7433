"""The Deforum extension's jobs: one worker, statuses in memory, frames on disk.

Owns job statuses, what settings make a job succeed, fail or lie, and the files it writes. It
ignores the core's lock, as the real extension does, and knows no HTTP.
"""

import os
import queue
import random
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from simulators.webui import pictures
from simulators.webui.pictures import Frame
from simulators.webui.state import State

MODES = ("2D", "3D", "Video Input", "Interpolation")
_NEEDED = tuple(
    f"cn_{unit}_{part}"
    for unit in range(1, 6)
    for part in ("weight", "guidance_start", "guidance_end")
)


@dataclass(frozen=True)
class Status:
    """A job as /deforum_api shows it."""

    id: str
    status: str
    phase: str
    error_type: str
    phase_progress: float
    started_at: float
    last_updated: float
    execution_time: float
    update_interval_time: float
    updates: int
    message: str | None
    outdir: str | None
    timestring: str | None
    deforum_settings: dict[str, Any]
    options_overrides: dict[str, Any] | None

    def data(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class _JobError(Exception):
    """A job ends as FAILED with this sentence."""


class Deforum:
    """All jobs of one process; a restart forgets them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._statuses: dict[str, Status] = {}
        self._batches: dict[str, list[str]] = {}
        self._queue: queue.Queue[list[str]] = queue.Queue()
        threading.Thread(target=self._work, daemon=True, name="deforum").start()

    # -- what the routes ask

    def submit(self, settings: list[dict[str, Any]], overrides: dict[str, Any] | None) -> str:
        """Accepts a batch and answers its id."""
        batch_id = f"batch({random.SystemRandom().randrange(10**9)})"
        now = time.time()
        job_ids = [f"{batch_id}-{at}" for at in range(len(settings))]
        with self._lock:
            self._batches[batch_id] = job_ids
            for job_id, told in zip(job_ids, settings, strict=True):
                times = (0.0, now, now, 0.0, 0.0, 0)
                empty = (None, None, None)
                status = Status(
                    job_id, "ACCEPTED", "QUEUED", "NONE", *times, *empty, told, overrides
                )
                self._statuses[job_id] = status
                self._note("accepted", job_id, batch_name=told.get("batch_name"))
        self._queue.put(job_ids)
        return batch_id

    def batches(self) -> dict[str, list[str]]:
        """Job ids by batch id."""
        return dict(self._batches)

    def statuses(self) -> dict[str, Status]:
        """All jobs by id."""
        return dict(self._statuses)

    def cancel(self, job_id: str) -> bool | None:
        """Cancels; False where it had ended or was cancelled before, None where unknown.

        A queued job is only called cancelled: nothing takes it out of the queue.
        """
        with self._lock:
            status = self._statuses.get(job_id)
        if status is None or status.status != "ACCEPTED":
            return None if status is None else False
        if status.phase not in ("QUEUED", "DONE"):
            self._state.progress.interrupted = True
        self._set(job_id, status="CANCELLED", message="Cancelled due to user request.")
        return True

    # -- the worker

    def _work(self) -> None:
        while True:
            for job_id in self._queue.get():
                self._run(job_id)

    def _run(self, job_id: str) -> None:
        told = self._statuses[job_id].deforum_settings
        self._state.progress.interrupted = False
        self._note("started", job_id, batch_name=told.get("batch_name"))
        made, outcome = 0, "error"
        try:
            made, finished = self._frames(job_id, told)
            outcome = "success" if finished else "interrupted"
            if finished:
                self._set(job_id, status="SUCCEEDED", phase="DONE", phase_progress=1.0)
        except _JobError as error:
            self._set(job_id, status="FAILED", error_type="TERMINAL", message=str(error))
        except (OSError, TypeError, ValueError) as error:
            text = f"{type(error).__name__}: {error}"
            self._set(job_id, status="FAILED", error_type="RETRYABLE", message=text)
        prompts = told.get("prompts") or {"0": "dummy value"}
        self._note("finished", job_id, outcome=outcome, frames=made, prompts=prompts)

    def _frames(self, job_id: str, told: dict[str, Any]) -> tuple[int, bool]:
        """Makes the frames; how many, and False when it was interrupted."""
        state = self._state
        self._set(job_id, phase="PREPARING")
        if state.faults.strike("fail"):
            raise ValueError("ordered fault")
        if not state.installed.controlnet:
            raise _JobError("ControlNet is needed but not there")
        if missing := [key for key in _NEEDED if key not in told]:
            raise _JobError(f"'types.SimpleNamespace' object has no attribute '{missing[0]}'")
        outdir = self._outdir(str(told.get("batch_name") or "Deforum_{timestring}"))
        timestring = time.strftime("%Y%m%d%H%M%S")
        self._set(job_id, outdir=str(outdir), timestring=timestring)
        (outdir / f"{timestring}_settings.txt").write_text("simulated")
        init = self._init(told)
        count = _count(told)
        if told.get("animation_mode", "2D") not in MODES or state.faults.strike("zero_frames"):
            return 0, True
        steps = int(told.get("steps", 25))
        frames: list[Frame] = []
        for at in range(count):
            self._set(job_id, phase="GENERATING", phase_progress=at / count)
            if state.faults.strike("exit", where="deforum"):
                os._exit(137)
            if stall := state.faults.strike("stall"):
                time.sleep(stall.seconds)
            self._pause(steps)
            if state.progress.interrupted:
                # the real extension leaves an interrupted job in this phase for good
                self._set(job_id, phase="POST_PROCESSING")
                return at, False
            frames.append(self._draw(told, at, init))
            (outdir / f"{timestring}_{at:09}.png").write_bytes(pictures.encoded(frames[-1]))
        self._set(job_id, phase="POST_PROCESSING", phase_progress=0.0)
        self._finish(outdir, timestring, told, frames)
        return count, True

    def _finish(
        self, outdir: Path, timestring: str, told: dict[str, Any], frames: list[Frame]
    ) -> None:
        faults = self._state.faults
        film_only = faults.strike("video_only")
        if frames and (film_only or not told.get("skip_video_creation", False)):
            fps = max(1, round(float(told.get("fps", 15))))
            (outdir / f"{timestring}.mp4").write_bytes(pictures.movie(frames, fps, "MP4"))
        lost = range(len(frames)) if film_only else range(0)
        if frames and faults.strike("lose_files"):
            lost = range(len(frames) - 1, len(frames))
        for at in lost:
            (outdir / f"{timestring}_{at:09}.png").unlink()
        if frames and faults.strike("corrupt_frames", where="deforum"):
            path = outdir / f"{timestring}_{len(frames) - 1:09}.png"
            path.write_bytes(path.read_bytes()[:60])

    def _pause(self, steps: int) -> None:
        for _ in range(steps):
            if self._state.progress.interrupted:
                return
            time.sleep(self._state.step_s)

    def _draw(self, told: dict[str, Any], at: int, init: Frame | None) -> Frame:
        width, height = (int(told.get(side, 512)) // 8 * 8 for side in ("W", "H"))
        signature = f"{told.get('prompts')}|{told.get('seed', -1)}|{told.get('zoom')}"
        keep = float(told.get("strength", 0.8)) if init is not None else 0.0
        return pictures.drawn(at, width, height, signature, init, 1 - keep)

    def _init(self, told: dict[str, Any]) -> Frame | None:
        if not told.get("use_init"):
            return None
        path = Path(str(told.get("init_image") or "")).resolve()
        if not path.is_relative_to(self._state.settings.state):
            raise _JobError(f"init image {path} does not exist")
        return pictures.read(path)

    def _outdir(self, batch_name: str) -> Path:
        root = self._state.settings.state / "outputs" / "img2img-images"
        outdir = (root / batch_name).resolve()
        if not outdir.is_relative_to(root):
            raise _JobError("the batch name leaves the output folder")
        outdir.mkdir(parents=True, exist_ok=True)
        return outdir

    def _set(self, job_id: str, **changes: Any) -> None:
        now = time.time()
        with self._lock:
            status = self._statuses[job_id]
            self._statuses[job_id] = replace(
                status,
                last_updated=now,
                execution_time=now - status.started_at,
                update_interval_time=now - status.last_updated,
                updates=status.updates + 1,
                **changes,
            )

    def _note(self, event: str, job_id: str, **facts: Any) -> None:
        self._state.journal.add(event, kind="deforum", id=job_id, **facts)


def _count(told: dict[str, Any]) -> int:
    """How many frames come out: a cadence drops the odd ones at the end."""
    frames, cadence = int(told.get("max_frames", 120)), int(told.get("diffusion_cadence", 2))
    return frames if cadence < 2 else (frames - 1) // cadence * cadence
