"""Frames by Deforum: started once, followed to its end, proved file by file.

Owns what a job's statuses are worth. SUCCEEDED counts only with every frame in hand, CANCELLED
is provisional, silence has a limit, and a stop that we asked for is never read as success.
The Deforum worker ignores the core's lock: give it an engine of its own while it runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..http.backoff import Backoff
from .deforum_jobs import Category, DeforumJobs, JobStatus, Phase
from .deforum_settings import DeforumSettings
from .errors import (
    EngineUnreachable,
    FileMissing,
    FramesMissing,
    JobCancelled,
    JobFailed,
    JobLost,
    JobOverdue,
    JobStalled,
    Stopped,
    SubmitUncertain,
    UnreadablePicture,
    WrongFrameCount,
)
from .frame_files import FrameSource, frame_name, movie_name
from .pictures import Picture, read_picture
from .splitting import frames_of

AWAY = Backoff(0.5, 5.0)

OnStatus: TypeAlias = Callable[[JobStatus], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """How long to wait, in seconds.

    `stall_s` is how long a running job may stand still (one frame's time and more; loading a
    model counts), `settle_s` how long a stopped one must, `patience_s` how long to wait for
    that, `find_s` how long to look for a job whose submission got no answer.
    """

    deadline_s: float
    stall_s: float = 600.0
    poll_s: float = 1.0
    settle_s: float = 5.0
    patience_s: float = 60.0
    find_s: float = 10.0
    away: Backoff = AWAY


async def start_job(jobs: DeforumJobs, settings: DeforumSettings, watch: Watch) -> JobStatus:
    """The job of this batch name: the one that is there, or a new one.

    Safe to call again after a crash: it never makes a second job of a name the server knows.
    Raises SubmitUncertain when it may have been accepted and was not found within `find_s`,
    EngineUnreachable, RequestRefused, CapabilityMissing.
    """
    there = await jobs.find(settings.batch_name)
    if there is not None:
        return there
    try:
        job_id = await jobs.submit(settings.body())
    except SubmitUncertain:
        found = await _looked_for(jobs, settings.batch_name, watch)
        if found is None:
            raise
        return found
    status = await jobs.job(job_id)
    if status is None:
        raise JobLost(jobs.engine, job_id, f"{job_id} is unknown right after its submission")
    return status


async def _looked_for(jobs: DeforumJobs, batch_name: str, watch: Watch) -> JobStatus | None:
    until = time.monotonic() + watch.find_s
    while True:
        try:
            found = await jobs.find(batch_name)
        except EngineUnreachable:
            found = None  # it is looked for until the time is up
        if found is not None or time.monotonic() > until:
            return found
        await asyncio.sleep(watch.poll_s)


async def follow_job(
    jobs: DeforumJobs, job_id: str, watch: Watch, on_status: OnStatus | None = None
) -> JobStatus:
    """Waits for the job's end; returns the status of one that SUCCEEDED, its frames unproved.

    An engine that is away is waited for until the deadline. Raises JobFailed, JobCancelled,
    JobStalled and JobOverdue (after telling the job to stop), JobLost, EngineUnreachable.
    """
    begun = moved = time.monotonic()
    last: JobStatus | None = None
    attempt = 0
    while True:
        now = time.monotonic()
        try:
            status = await jobs.job(job_id)
        except EngineUnreachable:
            if now - begun > watch.deadline_s:
                raise
            await asyncio.sleep(watch.away.delay_s(attempt))
            attempt, moved = attempt + 1, time.monotonic()
            continue
        attempt = 0
        if status is None:
            raise JobLost(jobs.engine, job_id, f"{job_id}: the server was restarted")
        if on_status is not None:
            on_status(status)
        if status.status != Category.ACCEPTED:
            return await _ended(jobs, status, watch)
        # a queued job stands still for as long as those before it take
        if last is None or status.mark != last.mark or status.phase == Phase.QUEUED:
            last, moved = status, now
        if now - begun > watch.deadline_s:
            stopped = await withdraw_job(jobs, job_id, watch)
            cause = f"{job_id}: not done within {watch.deadline_s:g} s ({status.phase})"
            raise JobOverdue(jobs.engine, job_id, cause, stopped=stopped)
        if now - moved > watch.stall_s:
            stopped = await withdraw_job(jobs, job_id, watch)
            cause = f"{job_id}: nothing moved for {watch.stall_s:g} s in {status.phase}"
            raise JobStalled(jobs.engine, job_id, cause, stopped=stopped)
        await asyncio.sleep(watch.poll_s)


async def _ended(jobs: DeforumJobs, status: JobStatus, watch: Watch) -> JobStatus:
    job_id, by_us = status.job_id, status.job_id in jobs.withdrawn
    if status.status == Category.CANCELLED or by_us:
        stopped = await withdraw_job(jobs, job_id, watch)
        cause = f"{job_id}: cancelled {'as asked' if by_us else 'by somebody else'}"
        raise JobCancelled(jobs.engine, job_id, cause, stopped=stopped, by_us=by_us)
    if status.status == Category.FAILED:
        cause = f"{job_id}: {status.message or 'failed without a word'}"
        raise JobFailed(jobs.engine, job_id, cause, retryable=status.retryable)
    return status


async def cancel_job(jobs: DeforumJobs, job_id: str, watch: Watch) -> Stopped:
    """Stops our own job and remembers it: whoever follows it hears JobCancelled, by us."""
    jobs.withdrawn.add(job_id)
    return await withdraw_job(jobs, job_id, watch)


async def withdraw_job(jobs: DeforumJobs, job_id: str, watch: Watch) -> Stopped:
    """Tells the job to stop and finds out whether it did, for at most `patience_s`.

    A queued job is reported cancelled and then run: it is watched until it runs, and then the
    core is interrupted, which is the only thing that stops it. Raises EngineUnreachable.
    """
    until = time.monotonic() + watch.patience_s
    before: JobStatus | None = None
    moved = time.monotonic()
    while True:
        status = await jobs.job(job_id)
        if status is None:
            return Stopped.GONE
        if status.ended:
            return Stopped.ENDED
        now = time.monotonic()
        if before is None or before.mark != status.mark:
            before, moved = status, now
        if status.status == Category.ACCEPTED:
            await jobs.delete(job_id)
        elif status.phase in (Phase.PREPARING, Phase.GENERATING):
            await jobs.interrupt()
        if status.phase != Phase.QUEUED and now - moved > watch.settle_s:
            return Stopped.STOPPED
        if now > until:
            return Stopped.MAY_RUN
        await asyncio.sleep(watch.poll_s)


async def job_frames(
    jobs: DeforumJobs, status: JobStatus, settings: DeforumSettings, source: FrameSource
) -> AsyncIterator[Picture]:
    """Every frame of a succeeded job, in order, each decoded and of the right size.

    Ends normally only after exactly `max_frames` of them; a job without frame files that left
    a video is split into frames. Raises FramesMissing, WrongFrameCount, UnreadablePicture,
    EngineRefused (403), CapabilityMissing, EngineUnreachable.
    """
    if status.status != Category.SUCCEEDED:
        raise ValueError(f"{status.job_id} has not succeeded")
    expected, outdir, stamp = settings.max_frames, status.outdir, status.timestring
    if outdir is None or stamp is None:
        raise _missing(jobs, status, expected, 0)
    for at in range(expected):
        try:
            data = await source.read(outdir, frame_name(stamp, at))
        except FileMissing as error:
            video = await _video(source, outdir, stamp) if at == 0 else None
            if video is None:
                raise _missing(jobs, status, expected, at) from error
            async for picture in _split(jobs, video, settings):
                yield picture
            return
        yield await asyncio.to_thread(_proved, jobs.engine, data, at, settings)


async def _video(source: FrameSource, outdir: str, stamp: str) -> bytes | None:
    try:
        return await source.read(outdir, movie_name(stamp))
    except FileMissing:
        return None


async def _split(
    jobs: DeforumJobs, video: bytes, settings: DeforumSettings
) -> AsyncIterator[Picture]:
    expected = settings.max_frames
    taken = frames_of(video, most=expected + 1)
    found = 0
    while True:
        try:
            data = await asyncio.to_thread(next, taken, None)
        except ValueError as error:
            raise UnreadablePicture(jobs.engine, f"the job's video: {error}", found) from error
        if data is None or found == expected:
            break
        yield await asyncio.to_thread(_proved, jobs.engine, data, found, settings)
        found += 1
    if found != expected or data is not None:
        found += data is not None
        cause = f"the job's video has {found} frames or more, {expected} were asked for"
        raise WrongFrameCount(jobs.engine, cause, expected=expected, found=found)


def _proved(engine: str, data: bytes, at: int, settings: DeforumSettings) -> Picture:
    try:
        picture = read_picture(data)
    except ValueError as error:
        raise UnreadablePicture(engine, f"frame {at}: {error}", at) from error
    if (picture.width_px, picture.height_px) != (settings.width_px, settings.height_px):
        cause = f"frame {at} is {picture.width_px}x{picture.height_px}"
        raise UnreadablePicture(engine, cause, at)
    return picture


def _missing(jobs: DeforumJobs, status: JobStatus, expected: int, found: int) -> FramesMissing:
    cause = f"{status.job_id} succeeded and frame {found} of {expected} is not there"
    return FramesMissing(jobs.engine, cause, expected=expected, found=found)
