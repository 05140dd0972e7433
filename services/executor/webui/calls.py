"""Steps that are one call: stills, larger stills, frames by AnimateDiff.

Owns the life of such a call. Its answer is the only copy of its pictures and goes to whoever
asked, so a call whose asker is gone is lost: it is stopped and run again as another attempt. What
comes back after we interrupted it is never used.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from contracts.stages import Sampling, UpscaleStage, VideoFramesStage
from engines.webui import (
    AnimateDiffSettings,
    EngineError,
    EngineUnreachable,
    Img2Img,
    Picture,
    Txt2Img,
    Upscale,
    animate,
    payload,
)
from runtime.outcome import Retry
from services.executor.adapters.pictures import Shelf
from services.executor.adapters.webui_link import WebuiLink
from services.executor.deps import Deps, Seat, Ticket
from services.executor.stopping import until_over
from services.executor.webui import asking, submitting
from services.executor.webui.telling import Teller
from services.executor.webui.work import Work
from services.executor.work import proved

log = structlog.get_logger()

UNKNOWN_LOOKS = 3
UNKNOWN_LOOK_EVERY_S = 0.3

Said = dict[str, Any]


async def loss(work: Work, deps: Deps[WebuiLink]) -> str | None:
    """Why the call of an attempt that was assigned before is lost; None if it was never sent.

    A lost call is stopped first, so that nothing waits behind it. Raises EngineError.
    """
    link = deps.link
    if work.prompt_id in link.unsent:
        return None
    if work.ran_already_s is None and not await _is_known(link, work.prompt_id):
        return None
    over = await link.client.abandon(work.prompt_id, patience_s=deps.settings.cancel_patience_s)
    if not over:
        link.unwanted.add(work.prompt_id)
    return "the call's answer was for a process that is gone"


async def _is_known(link: WebuiLink, prompt_id: str) -> bool:
    """Whether the server knows of the call; taken for granted where it cannot say."""
    for look in range(UNKNOWN_LOOKS):
        task = await link.client.task_progress(prompt_id)
        if task is None or task.active or task.queued or task.completed:
            return True
        if look + 1 < UNKNOWN_LOOKS:
            await asyncio.sleep(UNKNOWN_LOOK_EVERY_S)
    return False


async def make(
    work: Work, deps: Deps[WebuiLink], ticket: Ticket, seat: Seat, teller: Teller, shelf: Shelf
) -> Said | Retry | None:
    """Runs the call and puts its pictures on the shelf; what the server said of it.

    Retry when nothing was sent, None when the job must not go on. Raises UnfitPlan, UnfitSettings,
    EngineError, WrongPictures.
    """
    link, config = deps.link, work.step.config
    hurdle = await submitting.check_fit(work, deps)
    if hurdle is not None:
        return hurdle
    asked = asking.asked_of(config, tuple([await proved(deps.media, p) for p in work.pictures]))
    animation = _animation(config)
    checkpoint = config.checkpoint if isinstance(config, Sampling) else None
    request = asking.record(
        asked.route, _body(asked, animation, work, deps), work.pictures, checkpoint
    )
    if checkpoint is not None:
        await link.client.select_checkpoint(checkpoint)
    hurdle = await submitting.claim(work, deps, request)
    if hurdle is not None:
        return hurdle

    async def run() -> Said:
        link.unsent.discard(work.prompt_id)
        if isinstance(config, UpscaleStage):
            await teller.begin()  # the server tells of no upscaling that it began
        try:
            pictures, said = await _called(asked, animation, work, deps, teller)
        except EngineUnreachable:
            link.unsent.add(work.prompt_id)
            raise
        seat.leave()
        for picture in pictures:
            await shelf.put(picture)
        return said

    async def stop(calling: asyncio.Task[Said]) -> None:
        await _stop(work, deps, calling)

    return await until_over(run(), deps, ticket, work.event, on_stop=stop)


async def _stop(work: Work, deps: Deps[WebuiLink], calling: asyncio.Task[Said]) -> None:
    """Stops our call and waits until it is over; remembers one that does not end in time.

    That it was stopped is kept on our side first: the server answers 200 all the same.
    """
    try:
        await deps.link.client.interrupt(work.prompt_id)
    except EngineError as trouble:
        log.warning("a call is stopped later", reason=trouble.cause)
    _, running = await asyncio.wait({calling}, timeout=deps.settings.cancel_patience_s)
    if running:
        log.warning("a call goes on for nobody", prompt_id=work.prompt_id)
        deps.link.unwanted.add(work.prompt_id)


async def _called(
    asked: Txt2Img | Upscale,
    animation: AnimateDiffSettings | None,
    work: Work,
    deps: Deps[WebuiLink],
    teller: Teller,
) -> tuple[tuple[Picture, ...], Said]:
    client, deadline_s = deps.link.client, work.deadline_s

    def heard(share: float) -> None:
        teller.hear("generating", share)

    if isinstance(asked, Upscale):
        pictures = await client.upscale(
            asked, deadline_s=deadline_s, task_id=work.prompt_id, on_progress=heard
        )
        return pictures, {}
    if animation is None:
        made = await client.stills(
            asked, deadline_s=deadline_s, task_id=work.prompt_id, on_progress=heard
        )
    else:
        shown, models = _extension(asked, deps)
        made = await animate(
            client,
            asked,
            animation,
            shown=shown,
            models=models,
            deadline_s=deadline_s,
            task_id=work.prompt_id,
            on_progress=heard,
        )
    said = {
        "seed": made.seed,
        "checkpoint": made.checkpoint,
        "version": made.version,
        "extra_generation_params": dict(made.extra),
        "infotexts": list(made.infotexts[:1]),
    }
    return made.pictures, said


def _animation(config: object) -> AnimateDiffSettings | None:
    return asking.animation_of(config) if isinstance(config, VideoFramesStage) else None


def _extension(asked: Txt2Img, deps: Deps[WebuiLink]) -> tuple[frozenset[str], tuple[str, ...]]:
    """AnimateDiff's argument keys for the tab, and its motion models, as last seen."""
    seen = deps.link.snapshot
    if seen is None or seen.webui is None:
        return frozenset(), ()
    there = seen.webui.animatediff
    keys = there.img2img_keys if isinstance(asked, Img2Img) else there.txt2img_keys
    return frozenset(keys), there.motion_models


def _body(
    asked: Txt2Img | Upscale,
    animation: AnimateDiffSettings | None,
    work: Work,
    deps: Deps[WebuiLink],
) -> dict[str, Any]:
    body = asked.body()
    if isinstance(asked, Txt2Img):
        body["force_task_id"] = work.prompt_id
        if animation is not None:
            body["alwayson_scripts"] = payload(animation, _extension(asked, deps)[0])
    return body
