"""Steps that are a Deforum job: submitted once, found again by their batch name, followed.

Owns the life of such a job. It outlives whoever asked for it, so a successor follows it instead of
running it again. What its statuses are worth is the client's affair; here a job counts only with
every frame on the shelf.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from contracts.stages import VideoFramesStage
from engines.webui import (
    DeforumSettings,
    EngineRefused,
    JobStatus,
    Phase,
    follow_job,
    job_frames,
    start_job,
)
from runtime.outcome import Retry
from services.executor.adapters.pictures import Shelf
from services.executor.adapters.webui_link import WebuiLink, batch_name
from services.executor.cancelling import withdraw
from services.executor.deps import Deps, Seat, Ticket
from services.executor.pace import Phase as Told
from services.executor.stopping import until_over
from services.executor.webui import asking, submitting
from services.executor.webui.failures import FramesWithheld
from services.executor.webui.telling import Teller
from services.executor.webui.work import Work
from services.executor.work import UnfitPlan, proved

ROUTE = "/deforum_api/batches"
GENERATING_SHARE = 0.95
"""How much of a job is done when its last frame is; the rest is fetching."""

Said = dict[str, Any]


async def loss(work: Work, deps: Deps[WebuiLink]) -> str | None:
    """Why the job of an attempt assigned before is lost; None if it is there, or never was.

    Raises EngineError.
    """
    if work.ran_already_s is None or await deps.link.batch(work.prompt_id) is not None:
        return None
    return "the server no longer knows the Deforum job: it was restarted"


async def make(
    work: Work, deps: Deps[WebuiLink], ticket: Ticket, seat: Seat, teller: Teller, shelf: Shelf
) -> Said | Retry | None:
    """Submits the job, or takes it over, and puts its frames on the shelf.

    Returns what the server said of it; Retry when nothing was sent, None when the job must not go
    on. Raises UnfitPlan, UnfitSettings, EngineError, WrongPictures.
    """
    link = deps.link
    if await link.batch(work.prompt_id) is None:
        settings = await _submittable(work, deps)
        if isinstance(settings, Retry):
            return settings
    else:
        settings = _settings(work, None)
    watch = replace(link.watch, deadline_s=work.deadline_s)
    submitted = asyncio.Event()

    async def run() -> Said:
        link.unsent.discard(work.prompt_id)
        try:
            job = await start_job(link.client.deforum, settings, watch)
        finally:
            submitted.set()
        job = await follow_job(
            link.client.deforum, job.job_id, watch, lambda status: teller.hear(*_progress(status))
        )
        seat.leave()
        await teller.begin()
        await _fetch(job, settings, link, shelf, teller)
        return {"deforum_job": job.job_id, "updates": job.updates, "message": job.message}

    async def stop(_: asyncio.Task[Said]) -> None:
        # a job whose submission is under way could not be found, and so not be stopped
        await submitted.wait()
        await withdraw(deps, work.prompt_id)

    return await until_over(run(), deps, ticket, work.event, on_stop=stop)


async def _submittable(work: Work, deps: Deps[WebuiLink]) -> DeforumSettings | Retry:
    """The settings to submit, its init image placed, the attempt claimed."""
    link = deps.link
    hurdle = await submitting.check_fit(work, deps)
    if hurdle is not None:
        return hurdle
    _settings(work, None)  # refused before anything is uploaded
    path = await _placed(work, deps)
    settings = _settings(work, path)
    checkpoint = _config(work).checkpoint
    if checkpoint is not None:
        await link.client.select_checkpoint(checkpoint)
    request = asking.record(ROUTE, settings.body(), work.pictures, checkpoint)
    return await submitting.claim(work, deps, request) or settings


async def _placed(work: Work, deps: Deps[WebuiLink]) -> str | None:
    """The init image's path on the server."""
    if not work.pictures:
        return None
    if len(work.pictures) != 1:
        raise UnfitPlan(f"the stage starts from one picture and was given {len(work.pictures)}")
    (picture,) = work.pictures
    data = await proved(deps.media, picture)
    return await deps.link.files.place(data, f"{picture.sha256}.png")


async def _fetch(
    job: JobStatus, settings: DeforumSettings, link: WebuiLink, shelf: Shelf, teller: Teller
) -> None:
    try:
        async for picture in job_frames(link.client.deforum, job, settings, link.files):
            await shelf.put(picture)
            fetched = shelf.count / settings.max_frames
            teller.hear("collecting", GENERATING_SHARE + (1 - GENERATING_SHARE) * fetched)
    except EngineRefused as refused:
        raise FramesWithheld(refused.engine, refused.cause) from refused


def _progress(status: JobStatus) -> tuple[Told, float]:
    match status.phase:
        case Phase.QUEUED:
            return "waiting", 0.0
        case Phase.PREPARING:
            return "loading", 0.0
        case Phase.GENERATING:
            return "generating", GENERATING_SHARE * status.share
        case _:
            return "generating", GENERATING_SHARE


def _settings(work: Work, init_image: str | None) -> DeforumSettings:
    return asking.deforum_of(_config(work), batch_name(work.prompt_id), init_image)


def _config(work: Work) -> VideoFramesStage:
    if not isinstance(work.step.config, VideoFramesStage):
        raise UnfitPlan(f"a {work.step.config.kind} stage is none of Deforum's")
    return work.step.config
