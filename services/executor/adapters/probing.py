"""Looks at one engine again and again and tells the board what it is and how it is.

Owns reachability: it alone sets and clears `link.answering`, and clears `link.stuck`. What a kind
of engine is asked is in `comfy_probe` and `webui_probe`. It runs no prompt.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

import structlog

from contracts import keys
from contracts.base import StoredFile, canonical_bytes, sha256_hex
from contracts.engines import EngineKind, EngineSnapshot, Health
from engines.http.backoff import Backoff
from engines.http.errors import EngineError, EngineRefused
from runtime.engine_board import EngineBoard
from runtime.media_store import MediaStore
from runtime.stamp import now
from runtime.tails import BusUnavailable
from services.executor import metrics
from services.executor.adapters.engine_link import EngineLink
from services.executor.settings import Settings

log = structlog.get_logger()

AWAY = Backoff(0.25, 15.0)
REFRESH_LOOK_S = 2.5
"""How often a probe that pauses looks whether an operator wants it to look at once: half way
between two looks at an engine that answers."""
STUCK = "It answers, but a prompt in it never moves and cannot be stopped: restart the engine."
UNWANTED_PATIENCE_S = 1.0
"""A probe tries to withdraw what is unwanted for this long, and again at the next look."""


class Probe(ABC):
    """Probes one engine."""

    def __init__(
        self, link: EngineLink, media: MediaStore, board: EngineBoard, settings: Settings
    ) -> None:
        self._link = link
        self._media = media
        self._board = board
        self._settings = settings
        self._failures = 0
        self._refresh_seen: int | None = None
        self._whole_at = float("-inf")

    @property
    @abstractmethod
    def kind(self) -> EngineKind:
        """The kind of engine it knows to ask."""

    @abstractmethod
    async def ask(self, *, whole: bool) -> EngineSnapshot:
        """What the engine is now; with `whole` all it can do is asked anew. Raises EngineError."""

    @property
    @abstractmethod
    def whole_every_s(self) -> float:
        """For how long what the engine can do is believed, in seconds."""

    def forget(self) -> None:  # noqa: B027 - most kinds hold nothing
        """The engine went away: what it holds of us may be gone when it returns."""

    async def run(self) -> None:
        """Probes until cancelled; an engine that is away is asked with bounded backoff."""
        while True:
            # before the look: what is asked for while it lasts leads to another
            if await self._refresh_wanted():
                self._whole_at = float("-inf")
            try:
                await self.look()
            except EngineError as error:
                await self._away(error)
                await self._pause(AWAY.delay_s(self._failures - 1))
            else:
                await self._pause(self._settings.probe_interval_s)

    async def look(self) -> None:
        """One look. Raises EngineError when the engine does not answer as it should."""
        link = self._link
        link.clock.tick()
        due = time.monotonic() - self._whole_at >= self.whole_every_s
        whole = due or self._failures > 0 or link.snapshot is None
        link.snapshot = await self.ask(whole=whole)
        if whole:
            self._whole_at = time.monotonic()
        self._failures = 0
        await self._withdraw_unwanted()
        if link.stuck.is_set():
            link.answering.clear()
            link.snapshot = link.snapshot.model_copy(
                update={"health": "unreachable", "reason": STUCK}
            )
        elif not link.answering.is_set():
            log.info("engine answers", engine_id=link.engine_id, version=link.snapshot.version)
            link.answering.set()
        await self._tell()

    async def _pause(self, length_s: float) -> None:
        """Sleeps so long, or until an operator asks for a look at once."""
        until = time.monotonic() + length_s
        while (left_s := until - time.monotonic()) > 0:
            if left_s <= REFRESH_LOOK_S:
                # the board is read before the look that follows
                await asyncio.sleep(left_s)
                return
            await asyncio.sleep(REFRESH_LOOK_S)
            if await self._refresh_wanted():
                self._whole_at = float("-inf")
                return

    async def _refresh_wanted(self) -> bool:
        try:
            asked = await self._board.refresh_asked()
        except BusUnavailable:
            return False  # the pause goes on, and the board is read again after it
        before, self._refresh_seen = self._refresh_seen, asked
        return before is not None and asked != before

    async def _away(self, error: EngineError) -> None:
        link = self._link
        self._failures += 1
        if link.answering.is_set() or self._failures == 1:
            log.warning("engine does not answer", engine_id=link.engine_id, reason=error.cause)
            metrics.ENGINE_AWAY.labels(link.engine_id).inc()
        link.answering.clear()
        self.forget()
        health: Health = "refusing" if isinstance(error, EngineRefused) else "unreachable"
        link.snapshot = unseen(
            link.engine_id, self.kind, link.snapshot, health, error.cause[:500], now()
        )
        await self._tell()

    async def _tell(self) -> None:
        if self._link.snapshot is None:
            return
        try:
            await self._board.put(self._link.snapshot)
        except BusUnavailable as trouble:
            log.warning("engine board not updated", reason=str(trouble))

    async def stored(self, told: dict[str, Any]) -> StoredFile | None:
        """What the engine says it has, in the store, once per content.

        None when the store cannot take it.
        """
        data = canonical_bytes(told)
        digest = sha256_hex(data)
        key = keys.engine_snapshot(digest)
        try:
            if await self._media.stat(key) is None:
                return await self._media.put_bytes(key, data)
        except OSError as trouble:
            log.warning("engine catalogue not stored", reason=str(trouble))
            return None
        return StoredFile(key=key, sha256=digest, size_bytes=len(data))

    async def _withdraw_unwanted(self) -> None:
        for prompt_id in tuple(self._link.unwanted):
            if await self._link.withdraw(prompt_id, patience_s=UNWANTED_PATIENCE_S):
                self._link.unwanted.discard(prompt_id)
        if not self._link.unwanted:
            self._link.stuck.clear()


def unseen(
    engine_id: str,
    kind: EngineKind,
    before: EngineSnapshot | None,
    health: Health,
    reason: str,
    at: datetime,
) -> EngineSnapshot:
    """The snapshot of an engine that does not answer or does not let us in.

    `seen_at` stays the time of the last answer, so that others can tell how long it is away.
    """
    if before is not None:
        return before.model_copy(update={"health": health, "reason": reason})
    return EngineSnapshot(
        engine_id=engine_id,
        kind=kind,
        simulated=False,
        version="unknown",
        health=health,
        reason=reason,
        seen_at=at,
    )
