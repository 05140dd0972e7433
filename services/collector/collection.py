"""The collector's work on one job: results in, verified and delivered files out.

Owns the order of the work. Everything is made and verified on this machine first; the store gets
the files only then, and the manifest last. Must not publish anything, nor decide how a job ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.events import ExecutionFinished
from contracts.plan import NormalizedJobRecord
from runtime.media_store import MediaStore
from runtime.tasks import end
from runtime.telemetry import span
from services.collector.adapters.inspection import check_pictures, left_in
from services.collector.adapters.signing import Signer
from services.collector.artifacts import PictureFiles, shown_pictures
from services.collector.clips import make_clip
from services.collector.faults import invalid
from services.collector.films import Film, make_film
from services.collector.made import Made
from services.collector.rendering import Rendered
from services.collector.signed import Signed, sign
from services.collector.storing import Collected, store
from services.collector.work import Tell, Work, bring_soundtrack, read_job


@dataclass(frozen=True, slots=True)
class Making:
    """How jobs are made: `made_by` names this program; with a signer, what is delivered says
    where it comes from, and with `tell_prompt` also by which prompt."""

    deadline_s: float
    made_by: str
    signer: Signer | None = None
    tell_prompt: bool = False
    tell: Tell = field(default=lambda share: None)


async def collect(
    event: ExecutionFinished, media: MediaStore, folder: Path, making: Making
) -> Collected:
    """Make, verify and store everything that the job delivers; `folder` is empty and ours.

    Equal results give equal bytes under equal keys, so doing it again harms nothing; what is
    signed is never twice the same and gets a key of its own. Raises ResultFault when the results
    are absent or not as ordered, OSError when storage is away, SigningFailed.
    """
    work = Work(await read_job(event, media), media, folder, making.deadline_s, making.tell)
    made = await _make(work)
    signing = asyncio.create_task(_signed(work, made, making))
    try:
        # The checks are awaited first: a fault of the results is told whether signing works or not.
        await _checked(work, made)
        return await _stored(work, made, await signing, making)
    finally:
        await end([signing])


async def _signed(work: Work, made: Made, making: Making) -> Signed | None:
    if making.signer is None:
        return None
    with span("collector.sign"):
        return await sign(work, made, making.signer, making.made_by, making.tell_prompt)


async def _stored(work: Work, made: Made, signed: Signed | None, making: Making) -> Collected:
    with span("collector.store"):
        return await store(work, made, signed, making.made_by)


async def _make(work: Work) -> Made:
    plan = work.job.plan
    soundtrack = await bring_soundtrack(work)
    names = ("poster.jpg", "first_frame.jpg", "preview.webp")
    pictures = PictureFiles(*(work.folder / name for name in names))
    shown = shown_pictures(plan.delivery.frame, pictures)
    if plan.render is None:
        clip = await make_clip(work, soundtrack, shown)
        film = Film(clip.video, (), clip.pose_preview)
    else:
        film = await make_film(work, plan.render, soundtrack, shown)
    container = plan.render.config.container if plan.render else "mp4"
    return Made(film.video, container, film.pose_preview, pictures, film.kept)


async def _checked(work: Work, made: Made) -> None:
    """Raises ResultFault for a text of the job in a video and a picture that is not as planned."""
    with span("collector.check"):
        for rendered in (made.video, made.pose_preview):
            if rendered is not None:
                await _refuse_leaks(rendered, work.job.record)
        await check_pictures(made.pictures, work.job.plan.delivery.frame)


async def _refuse_leaks(rendered: Rendered, record: NormalizedJobRecord) -> None:
    found = await left_in(rendered.path, _secrets(record))
    if found:
        raise invalid(f"{rendered.path.name} still holds {len(found)} texts of the job")


def _secrets(record: NormalizedJobRecord) -> Sequence[str]:
    texts = (record.prompt, record.resolved_prompt, record.negative_prompt, '"class_type"')
    return [text for text in texts if text]
