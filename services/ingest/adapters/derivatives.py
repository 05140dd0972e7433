"""Derivatives: found in the media store by content and recipe, or made, proved and put there.

Owns that a derivative is made once and that its facts are written last. Must not know of jobs.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import OrderedDict
from pathlib import Path

from pydantic import ValidationError

from contracts import keys
from contracts.base import Contract, StoredFile
from contracts.errors import ErrorCode
from contracts.media import AudioRecipe, ImageRecipe, MediaFacts, MediaOrder, recipe_id
from runtime.ffmpeg import FfmpegFailed, run_ffmpeg
from runtime.media_store import MediaMissing, MediaStore
from runtime.probe import ProbeLimits, make_picture, probe_media
from runtime.sniff import FileRefused
from services.ingest.adapters.workbench import Workbench
from services.ingest.metrics import DERIVATIVES, NORMALISE_SECONDS
from services.ingest.normalising import (
    AUDIO_EXTENSION,
    IMAGE_EXTENSION,
    VIDEO_EXTENSION,
    audio_arguments,
    video_arguments,
)
from services.ingest.verification import Recipe, difference

_EXTENSIONS = {"image": IMAGE_EXTENSION, "video": VIDEO_EXTENSION, "audio": AUDIO_EXTENSION}
MADE_AT_ONCE = 2
"""A picture is ready while the video of the same job is still being made; more would only share
the processor."""
KNOWN_AT_MOST = 512
"""Derivatives whose facts are remembered, a kilobyte each."""
_MACHINE_TROUBLE = ("No space left on device", "Cannot allocate memory", "File too large")


class Derivative(Contract):
    """A derivative as it lies in the media store; the content of its facts file."""

    file: StoredFile
    facts: MediaFacts


class Derivatives:
    """Finds or makes derivatives, each once at a time in this process."""

    def __init__(
        self, media: MediaStore, workbench: Workbench, limits: ProbeLimits, deadline_s: float
    ) -> None:
        """`deadline_s` bounds one FFmpeg run."""
        self._media = media
        self._workbench = workbench
        self._limits = limits
        self._deadline_s = deadline_s
        self._room = asyncio.Semaphore(MADE_AT_ONCE)
        self._known: OrderedDict[tuple[str, str], Derivative] = OrderedDict()
        self._locks: weakref.WeakValueDictionary[tuple[str, str], asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    async def provide(
        self, order: MediaOrder, source_key: str, *, source_has_audio: bool
    ) -> tuple[Derivative, bool]:
        """The derivative, and whether it was there already.

        Raises FileRefused when the source cannot be made into it, MediaMissing when the source is
        gone; FfmpegTimeout, FfmpegFailed or SandboxLost when trying again may help.
        """
        name = (order.asset_sha256, recipe_id(order.recipe))
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            found = await self.find(*name)
            if found is None:
                async with self._room:
                    made = await self._made(order, source_key, source_has_audio=source_has_audio)
                DERIVATIVES.labels(order.recipe.kind, "made").inc()
                return made, False
        DERIVATIVES.labels(order.recipe.kind, "reused").inc()
        return found, True

    async def find(self, asset_sha256: str, recipe: str) -> Derivative | None:
        """The derivative if it lies whole in the media store.

        What is said of one never changes, so it is read once; that it still lies there is asked
        each time.
        """
        name = (asset_sha256, recipe)
        found = self._known.get(name) or await self._read(*name)
        if found is None:
            return None
        there = await self._media.stat(found.file.key)
        if there is None or there.size_bytes != found.file.size_bytes:
            self._known.pop(name, None)
            return None
        self._remember(name, found)
        return found

    async def _read(self, asset_sha256: str, recipe: str) -> Derivative | None:
        try:
            facts = await self._media.read_bytes(keys.derivative_facts(asset_sha256, recipe))
            return Derivative.model_validate_json(facts)
        except (MediaMissing, ValidationError):
            return None

    def _remember(self, name: tuple[str, str], found: Derivative) -> None:
        self._known[name] = found
        self._known.move_to_end(name)
        if len(self._known) > KNOWN_AT_MOST:
            self._known.popitem(last=False)

    async def _made(
        self, order: MediaOrder, source_key: str, *, source_has_audio: bool
    ) -> Derivative:
        started = time.monotonic()
        sha256, recipe, extension = (
            order.asset_sha256,
            order.recipe,
            _EXTENSIONS[order.recipe.kind],
        )
        with self._workbench.place() as folder:
            target = folder / f"media.{extension}"
            async with self._media.local_path(source_key) as source:
                await self._carry_out(recipe, source, target, has_audio=source_has_audio)
            probed = await probe_media(target, limits=self._limits)
            wrong = difference(recipe, probed.facts, source_has_audio=source_has_audio)
            if wrong is not None:
                raise FileRefused(ErrorCode.FILE_UNDECODABLE, f"normalising failed: {wrong}")
            key = keys.derivative(sha256, recipe_id(recipe), extension)
            stored = await self._media.put_file(key, target)
        made = Derivative(file=stored, facts=probed.facts)
        await self._media.put_bytes(
            keys.derivative_facts(sha256, recipe_id(recipe)), made.model_dump_json().encode()
        )
        NORMALISE_SECONDS.labels(recipe.kind).observe(time.monotonic() - started)
        return made

    async def _carry_out(
        self, recipe: Recipe, source: Path, target: Path, *, has_audio: bool
    ) -> None:
        if isinstance(recipe, ImageRecipe):
            await make_picture(
                source,
                target,
                width_px=recipe.width_px,
                height_px=recipe.height_px,
                crop=recipe.crop,
                limits=self._limits,
            )
            return
        arguments = (
            audio_arguments(source, target, recipe)
            if isinstance(recipe, AudioRecipe)
            else video_arguments(source, target, recipe, has_audio=has_audio)
        )
        try:
            await run_ffmpeg(arguments, deadline_s=self._deadline_s)
        except FfmpegFailed as failure:
            if failure.returncode < 0 or any(t in failure.stderr_tail for t in _MACHINE_TROUBLE):
                raise
            raise FileRefused(ErrorCode.FILE_UNDECODABLE, failure.stderr_tail) from failure
