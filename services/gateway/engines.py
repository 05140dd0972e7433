"""What is known of the engines, read from their board at most every other second; and pauses."""

from __future__ import annotations

import time

from contracts.engines import EngineSnapshot, Pause
from runtime.engine_board import EngineBoard

FRESH_S = 2.0


class KnownEngines:
    """A short memory in front of the board, so that a burst of submits reads it once."""

    def __init__(self, board: EngineBoard) -> None:
        """Nothing is read before the first question."""
        self._board = board
        self._snapshots: tuple[EngineSnapshot, ...] = ()
        self._read_at = float("-inf")

    async def all(self) -> tuple[EngineSnapshot, ...]:
        """Every known engine, by id. Raises BusUnavailable."""
        if time.monotonic() - self._read_at > FRESH_S:
            found = await self._board.all()
            self._snapshots = tuple(found[engine_id] for engine_id in sorted(found))
            self._read_at = time.monotonic()
        return self._snapshots

    async def refresh(self) -> tuple[EngineSnapshot, ...]:
        """Ask that every engine is looked at again, and forget what was read before.

        Returns the engines that are known. Raises BusUnavailable.
        """
        known = await self.all()
        await self._board.ask_refresh()
        self._read_at = float("-inf")
        return known

    async def pauses(self) -> tuple[Pause, ...]:
        """What operators paused, by whom and when. Raises BusUnavailable."""
        return await self._board.pauses()

    async def pause(self, pause: Pause) -> None:
        """Stop new work on what the pause names. Raises BusUnavailable."""
        await self._board.pause(pause)

    async def resume(self, what: str) -> None:
        """Undo a pause; one that is not there is no error. Raises BusUnavailable."""
        await self._board.resume(what)
