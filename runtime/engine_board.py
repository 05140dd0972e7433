"""The board of engines: each one's latest capability snapshot, and what operators want of them.

Kept in the KV bucket `engines`. Must not probe an engine.
"""

from __future__ import annotations

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import APIError, KeyDeletedError, KeyNotFoundError
from pydantic import ValidationError

from contracts.engines import EngineSnapshot, Pause
from contracts.subjects import ENGINES_BUCKET
from runtime.bus import Bus
from runtime.tails import BusUnavailable

log = structlog.get_logger()

_SNAPSHOT, _PAUSE, _REFRESH = "snapshot.", "pause.", "refresh"


class EngineBoard:
    """Reads and writes the bucket `engines`."""

    def __init__(self, bus: Bus) -> None:
        """Uses the bus's connection."""
        self._bus = bus

    async def put(self, snapshot: EngineSnapshot) -> None:
        """Publish what an engine is and can do. Raises BusUnavailable."""
        try:
            bucket = await self._bus.bucket(ENGINES_BUCKET)
            await bucket.put(_SNAPSHOT + snapshot.engine_id, snapshot.model_dump_json().encode())
        except (TimeoutError, NatsError, APIError) as trouble:
            raise BusUnavailable("could not publish an engine snapshot") from trouble

    async def all(self) -> dict[str, EngineSnapshot]:
        """Every known engine by id. Unreadable entries are left out. Raises BusUnavailable."""
        found: dict[str, EngineSnapshot] = {}
        for key, value in (await self._entries(_SNAPSHOT)).items():
            try:
                found[key] = EngineSnapshot.model_validate_json(value)
            except ValidationError as broken:
                log.warning("unreadable engine snapshot", engine_id=key, reason=str(broken)[:500])
        return found

    async def _entries(self, prefix: str) -> dict[str, bytes]:
        # Not by bucket.keys(): each call leaves a consumer on the server for five minutes, and the
        # server refuses more than 1,000 of a stream.
        path = f"$KV.{ENGINES_BUCKET}."
        try:
            bucket = await self._bus.bucket(ENGINES_BUCKET)
            info = await self._bus.jetstream.stream_info(
                f"KV_{ENGINES_BUCKET}", subjects_filter=f"{path}{prefix}>"
            )
            found: dict[str, bytes] = {}
            for subject in info.state.subjects or ():
                key = subject[len(path) :]
                try:
                    found[key[len(prefix) :]] = (await bucket.get(key)).value or b""
                except (KeyNotFoundError, KeyDeletedError):
                    continue
            return found
        except (TimeoutError, NatsError, APIError) as trouble:
            raise BusUnavailable(f"could not read the engine board: {trouble!r}") from trouble

    async def pauses(self) -> tuple[Pause, ...]:
        """What operators paused, by whom and when, in order. Raises BusUnavailable.

        An entry that cannot be read still pauses: who made it meant something by it.
        """
        found = []
        for what, value in sorted((await self._entries(_PAUSE)).items()):
            try:
                pause = Pause.model_validate_json(value)
            except ValidationError as broken:
                log.warning("unreadable pause", what=what, reason=str(broken)[:500])
                pause = Pause.model_construct(what=what, by="unknown", at=None, reason=None)
            found.append(pause)
        return tuple(found)

    async def paused(self) -> frozenset[str]:
        """What operators paused: `engine.<id>`, `lane.<lane>`, `all`. Raises BusUnavailable."""
        return frozenset(await self._entries(_PAUSE))

    async def pause(self, pause: Pause) -> None:
        """Stop new work on what the pause names. Raises BusUnavailable."""
        try:
            bucket = await self._bus.bucket(ENGINES_BUCKET)
            await bucket.put(_PAUSE + pause.what, pause.model_dump_json().encode())
        except (TimeoutError, NatsError, APIError) as trouble:
            raise BusUnavailable(f"could not pause {pause.what}") from trouble

    async def resume(self, what: str) -> None:
        """Undo a pause; one that is not there is no error. Raises BusUnavailable."""
        try:
            bucket = await self._bus.bucket(ENGINES_BUCKET)
            await bucket.delete(_PAUSE + what)
        except (TimeoutError, NatsError, APIError) as trouble:
            raise BusUnavailable(f"could not resume {what}") from trouble

    async def ask_refresh(self) -> None:
        """Have every engine looked at again, at once and wholly. Raises BusUnavailable."""
        try:
            bucket = await self._bus.bucket(ENGINES_BUCKET)
            await bucket.put(_REFRESH, b"asked")
        except (TimeoutError, NatsError, APIError) as trouble:
            raise BusUnavailable("could not ask for a look at the engines") from trouble

    async def refresh_asked(self) -> int:
        """A number that changes when a refresh is asked for; 0 before the first.

        Raises BusUnavailable.
        """
        try:
            entry = await (await self._bus.bucket(ENGINES_BUCKET)).get(_REFRESH)
        except KeyNotFoundError:
            return 0
        except (TimeoutError, NatsError, APIError) as trouble:
            raise BusUnavailable("could not read the engine board") from trouble
        return entry.revision or 0
