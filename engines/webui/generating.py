"""One call that makes pictures: sent once, watched while it runs, its answer read.

Owns the line between refused, failed, lost, interrupted and done. The server answers 200 for
an interrupted run and keeps no result for a client that went away, so that both are known
only here. Nothing is ever sent twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx

from ..http.backoff import Backoff
from ..http.transport import Answer, Transport
from .errors import (
    EngineError,
    EngineUnreachable,
    Interrupted,
    Overdue,
    ProtocolError,
    ResultLost,
    UnreadablePicture,
    WrongFrameCount,
)
from .pictures import Picture, from_base64, read_picture
from .progress import ServerProgress, TaskProgress
from .refusals import error_for
from .stills import SIDE_STEP_PX, Upscale

MOST_ANSWER_BYTES = 1024 * 1024 * 1024
_AWAY = frozenset({502, 503, 504})

OnProgress: TypeAlias = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Look:
    """What the server told at one moment; `task` is None where it has no such route."""

    server: ServerProgress
    task: TaskProgress | None

    @property
    def ours_runs(self) -> bool:
        """Whether it is our task that runs; taken for granted where the server cannot say."""
        return not self.server.idle and (self.task is None or self.task.active)


@dataclass(slots=True)
class Run:
    """One call while it lasts. `stop` was asked for by us; `foreign` was seen from outside."""

    task_id: str
    deadline_s: float
    poll_s: float
    look: Callable[[str], Awaitable[Look]]
    interrupt: Callable[[], Awaitable[None]]
    on_progress: OnProgress | None = None
    stop: bool = False
    foreign: bool = field(default=False)


async def post(http: Transport, path: str, body: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Sends one generating request and returns the JSON object of its 200.

    Raises EngineUnreachable (certainly not sent), RequestRefused, GenerationFailed,
    EngineRefused, ResultLost, Interrupted, Overdue, ProtocolError.
    """
    watching = asyncio.create_task(_watch(run))
    try:
        async with asyncio.timeout(run.deadline_s):
            answer = await _answer(http, path, body, run)
    except TimeoutError as late:
        with suppress(EngineError):  # the deadline is the news, and it is told either way
            if (await run.look(run.task_id)).ours_runs:
                await run.interrupt()
        cause = f"POST {path}: no answer within {run.deadline_s:g} s"
        raise Overdue(http.engine, run.task_id, cause) from late
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    http.raise_if_barred("POST", path, answer)
    if answer.status in _AWAY:
        cause = f"POST {path}: {answer.status} {answer.text()}"
        raise ResultLost(http.engine, run.task_id, cause)
    if answer.status == 429:
        raise EngineUnreachable(http.engine, f"POST {path}: 429 {answer.text()}")
    if 400 <= answer.status <= 500:
        raise error_for(http.engine, "POST", path, answer)
    await _raise_if_interrupted(http.engine, path, run)
    return await asyncio.to_thread(http.json_object, "POST", path, answer)


async def _answer(http: Transport, path: str, body: Mapping[str, Any], run: Run) -> Answer:
    try:
        return await http.send_once(
            "POST",
            path,
            body=body,
            # the answer comes all at once at the end; the deadline is kept elsewhere
            read_s=run.deadline_s + 60,
            most_bytes=MOST_ANSWER_BYTES,
        )
    except httpx.HTTPError as error:
        cause = f"POST {path}: sent, and no answer: {type(error).__name__} {error}"
        raise ResultLost(http.engine, run.task_id, cause) from error


async def _watch(run: Run) -> None:
    """Tells progress, sees a foreign interrupt, and stops the run once that is asked for."""
    while True:
        await asyncio.sleep(run.poll_s)
        try:
            look = await run.look(run.task_id)
            if not look.ours_runs:
                continue
            if run.stop:
                # again and again: an interrupt before the run's first step is forgotten
                await run.interrupt()
            elif look.task is not None and look.server.interrupted:
                run.foreign = True
            if run.on_progress is not None:
                run.on_progress(look.server.share)
        except EngineError:
            # a busy server may not answer; the POST alone says how the run ends
            continue


async def _raise_if_interrupted(engine: str, path: str, run: Run) -> None:
    if run.stop:
        raise Interrupted(engine, run.task_id, f"POST {path}: stopped as asked", by_us=True)
    if not run.foreign:
        with suppress(EngineError):  # a server that went away now has delivered all the same
            look = await run.look(run.task_id)
            # idle, the flag is that of the last run: an interrupt between two looks
            run.foreign = look.server.idle and look.server.interrupted
    if run.foreign:
        cause = f"POST {path}: somebody interrupted the server"
        raise Interrupted(engine, run.task_id, cause, by_us=False)


async def abandon(
    look: Callable[[str], Awaitable[Look]],
    interrupt: Callable[[], Awaitable[None]],
    task_id: str,
    patience_s: float,
) -> bool:
    """Interrupts a task that nobody waits for until it runs no more; see `WebUIClient.abandon`."""
    pause = Backoff(0.1, 1.0)
    waited_s, attempt = 0.0, 0
    while True:
        seen = await look(task_id)
        if seen.task is None:
            return seen.server.idle
        if seen.server.idle or not (seen.task.active or seen.task.queued):
            return True
        if seen.task.active:
            await interrupt()
        if waited_s >= patience_s:
            return False
        delay_s = pause.delay_s(attempt)
        await asyncio.sleep(delay_s)
        waited_s, attempt = waited_s + delay_s, attempt + 1


@dataclass(frozen=True, slots=True)
class Generated:
    """What txt2img or img2img made: pictures in their order, grids left out, and the record.

    `extra` are the extra_generation_params, in which extensions say that they took part.
    """

    task_id: str
    pictures: tuple[Picture, ...]
    seed: int | None
    extra: Mapping[str, str]
    infotexts: tuple[str, ...]
    checkpoint: str | None
    version: str | None


def read_generated(engine: str, task_id: str, body: Mapping[str, Any]) -> Generated:
    """Reads the answer. Raises ProtocolError, UnreadablePicture."""
    info = _info(engine, body)
    first = info.get("index_of_first_image")
    skipped = first if isinstance(first, int) and first > 0 else 0
    extra, texts, seed = (
        info.get("extra_generation_params"),
        info.get("infotexts"),
        info.get("seed"),
    )
    pictures = read_images(engine, body.get("images"))
    return Generated(
        task_id=task_id,
        pictures=pictures[skipped:],
        seed=seed if isinstance(seed, int) else None,
        extra={str(k): str(v) for k, v in extra.items()} if isinstance(extra, Mapping) else {},
        infotexts=tuple(str(text) for text in texts[skipped:]) if isinstance(texts, list) else (),
        checkpoint=_text(info.get("sd_model_name")),
        version=_text(info.get("version")),
    )


def read_images(engine: str, images: object) -> tuple[Picture, ...]:
    """The pictures in a list of base64. Raises ProtocolError, UnreadablePicture."""
    if not isinstance(images, list):
        raise ProtocolError(engine, "an answer without images")
    found = []
    for at, text in enumerate(images):
        try:
            found.append(from_base64(text))
        except ValueError as error:
            raise UnreadablePicture(engine, f"picture {at}: {error}", at) from error
    return tuple(found)


def check_pictures(
    engine: str, pictures: tuple[Picture, ...], count: int, width_px: int, height_px: int
) -> None:
    """Raises WrongFrameCount, UnreadablePicture unless there are `count` of just that size."""
    if len(pictures) != count:
        cause = f"{len(pictures)} pictures came back, {count} were asked for"
        raise WrongFrameCount(engine, cause, expected=count, found=len(pictures))
    for at, picture in enumerate(pictures):
        if (picture.width_px, picture.height_px) != (width_px, height_px):
            cause = f"picture {at} is {picture.width_px}x{picture.height_px}"
            raise UnreadablePicture(engine, f"{cause} instead of {width_px}x{height_px}", at)


def check_larger(engine: str, made: tuple[Picture, ...], asked: Upscale) -> None:
    """Raises WrongFrameCount, UnreadablePicture unless every picture is larger as asked for."""
    if len(made) != len(asked.images):
        cause = f"{len(made)} pictures came back for {len(asked.images)}"
        raise WrongFrameCount(engine, cause, expected=len(asked.images), found=len(made))
    for at, (picture, image) in enumerate(zip(made, asked.images, strict=True)):
        given = read_picture(image)
        sides = ((picture.width_px, given.width_px), (picture.height_px, given.height_px))
        if any(side < before * asked.factor - SIDE_STEP_PX for side, before in sides):
            cause = f"picture {at} is {picture.width_px}x{picture.height_px}, not {asked.factor:g}"
            raise UnreadablePicture(engine, f"{cause} times larger", at)


def _info(engine: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    # the server puts JSON into a JSON string
    try:
        info = json.loads(str(body.get("info")))
    except ValueError as error:
        raise ProtocolError(engine, "an answer whose info is not JSON") from error
    if not isinstance(info, Mapping):
        raise ProtocolError(engine, "an answer whose info is no object")
    return info


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
