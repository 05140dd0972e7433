"""Shows pictures of a prompt's unfinished work: the engine's, remade in the sandbox.

Owns how often, how large, and that a picture is never waited for. What cannot be shown is left out:
nothing depends on it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from contracts.errors import ErrorCode
from engines.comfyui import PreviewImage
from runtime import tasks
from runtime.live_previews import MAX_LIVE_PREVIEW_BYTES, LivePreviews
from runtime.probe import ProbeLimits, SandboxBroken, SandboxLost, probe_media
from runtime.sniff import FileRefused
from runtime.tails import BusUnavailable
from services.executor.pace import Throttle

log = structlog.get_logger()

LONGEST_PX = 384
MAX_GIVEN_BYTES = 4 << 20
_LIMITS = ProbeLimits(max_image_pixels=4_000_000, deadline_s=5.0, address_space_bytes=1 << 30)


class Showing:
    """The pictures of one prompt. `shown` counts those that stand where they can be seen."""

    def __init__(
        self,
        job_id: str,
        previews: LivePreviews,
        interval_s: float,
        told: Callable[[], Awaitable[None]],
    ) -> None:
        """`told` is awaited after each picture; at most one is made per `interval_s` seconds."""
        self._job_id, self._previews, self._told = job_id, previews, told
        self._throttle = Throttle(interval_s)
        self._making: asyncio.Task[None] | None = None
        self._usable = True
        self.shown = 0

    def offer(self, picture: PreviewImage) -> None:
        """Take a picture up, unless one is in the making or was shown a moment ago.

        A picture that does not say whose it is may be of another prompt and is left out.
        """
        busy = self._making is not None and not self._making.done()
        fits = picture.prompt_id is not None and len(picture.image) <= MAX_GIVEN_BYTES
        if self._usable and fits and not busy and self._throttle.passes(time.monotonic()):
            self._making = asyncio.create_task(self._make(picture.image))

    async def end(self) -> None:
        """Drop what is in the making."""
        if self._making is not None:
            await tasks.end((self._making,))

    async def _make(self, image: bytes) -> None:
        try:
            jpeg = await remade(image)
        except FileRefused as refused:
            self._usable = False
            log.warning("the engine's pictures of its work cannot be shown", reason=str(refused))
            return
        except (SandboxLost, SandboxBroken) as trouble:
            log.warning("a picture of the work was not made", reason=str(trouble))
            return
        if len(jpeg) > MAX_LIVE_PREVIEW_BYTES:
            log.debug("a picture of the work is too large", size_bytes=len(jpeg))
            return
        try:
            await self._previews.show(self._job_id, jpeg)
        except BusUnavailable as away:
            log.warning("a picture of the work was not shown", reason=str(away))
            return
        self.shown += 1
        await self._told()


async def remade(image: bytes) -> bytes:
    """The picture as a small JPEG with nothing but pixels, decoded in the sandbox.

    Raises FileRefused, SandboxLost, SandboxBroken.
    """
    with tempfile.TemporaryDirectory(prefix="animatrix-live-preview-") as name:
        given, made = Path(name) / "given", Path(name) / "made.jpg"
        await asyncio.to_thread(given.write_bytes, image)
        proved = await probe_media(given, limits=_LIMITS, thumbnail=made, thumbnail_px=LONGEST_PX)
        if proved.kind != "image":
            raise FileRefused(ErrorCode.FILE_TYPE_UNSUPPORTED, f"a {proved.kind} as a picture")
        return await asyncio.to_thread(made.read_bytes)
