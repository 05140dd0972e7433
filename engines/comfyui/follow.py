"""Following one prompt to its end, whatever happens to the websocket or the engine.

Owns the rule that polling is the truth: only `ComfyClient.find` ends a prompt; a message is
passed on and at most wakes the poll. It submits nothing, interrupts nothing, and leaves
policy (how long an engine may be away, what to do with a lost prompt) to the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..http.backoff import Backoff
from .client import ComfyClient
from .errors import EngineError
from .life import Life
from .messages import (
    Connected,
    Disconnected,
    Executing,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    Message,
    Silent,
    SocketEvent,
    Status,
)
from .outcome import Failed, Interrupted, Lost, Outcome, Overdue, Stalled, Succeeded
from .places import Absent, InHistory, Pending, Place, Running
from .socket import Listener

LAST_LOOK_S = 5.0
AWAY_BACKOFF = Backoff(0.5, 10.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, in seconds.

    Between looks the pause grows from `first_s` to `most_s` and falls back to `first_s` when
    something changes. `Lost` needs `lost_looks` looks in a row that find nothing, spread over
    at least `lost_after_s`.
    """

    first_s: float = 0.25
    most_s: float = 2.0
    least_s: float = 0.02
    lost_looks: int = 3
    lost_after_s: float = 2.0
    away: Backoff = AWAY_BACKOFF


@dataclass(frozen=True, slots=True)
class Queued:
    """The prompt waits behind `ahead` others; told when it changes."""

    ahead: int


@dataclass(frozen=True, slots=True)
class Started:
    """The engine executes the prompt."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A websocket message about this prompt, or about the queue."""

    message: Message


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The engine could not be asked for `for_s` seconds now, `tries` times in a row.

    `error` says why; it may be an EngineRefused too, where credentials stopped working.
    """

    error: EngineError
    for_s: float
    tries: int


@dataclass(frozen=True, slots=True)
class Reachable:
    """The engine answers again."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Unseen:
    """The prompt was not found at this look; `Lost` follows when that goes on."""

    looks: int


@dataclass(frozen=True, slots=True)
class Doubled:
    """The prompt is in the queue `copies` times; told at every look until one is left."""

    copies: int


Update: TypeAlias = Queued | Started | Heard | Unreachable | Reachable | Unseen | Doubled

_ENDINGS = (ExecutionSuccess, ExecutionError, ExecutionInterrupted)
_STIRS = (ExecutionStart, Status)


async def follow(
    client: ComfyClient,
    prompt_id: str,
    *,
    hint: Listener | None = None,
    deadline_s: float | None = None,
    stall_s: float | None = None,
    pace: Pace | None = None,
) -> AsyncGenerator[Update | Outcome, None]:
    """Updates about a prompt, the last of them an Outcome.

    `hint` is a listener of the engine's socket (entered by the caller, best before the
    submit); without one, or with a deaf one, only the delay until a change is seen grows, to
    `pace.most_s`. `deadline_s` seconds from now the last item is `Overdue`; only a look that
    hangs may make it some seconds later. `stall_s` seconds after the last sign of life (see
    `Life`) it is `Stalled`.

    Never raises EngineError: an engine that does not answer gives `Unreachable` updates until
    it does, or until the caller stops iterating (wrap in `contextlib.aclosing`).
    """
    watch = _Watch(client, prompt_id, pace or Pace())
    started = time.monotonic()
    life = Life(started)
    ends_at = float("inf") if deadline_s is None else started + deadline_s
    while True:
        # at least this long, since a prompt that ended in time should be seen to have ended
        look_s = max(LAST_LOOK_S, ends_at - time.monotonic())
        updates: list[Update | Outcome] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if deadline_s is None else look_s):
                updates = await watch.look()
        for update in updates:
            yield update
            if isinstance(update, Succeeded | Failed | Interrupted | Lost):
                return
        life.looked(watch.place, time.monotonic())
        if stall_s is not None and life.quiet_s > stall_s:
            yield Stalled(life.quiet_s, watch.running)
            return
        while (pause_s := min(watch.next_look, ends_at) - time.monotonic()) > 0:
            event = await _next(hint, pause_s)
            if isinstance(event, Silent) and watch.running and hint is not None:
                # a running prompt that says nothing: the socket may have gone deaf
                await hint.socket.reopen()
            watch.heed(event)
            life.heard(event, time.monotonic())
            if event is not None and not isinstance(event, Connected | Disconnected | Silent):
                yield Heard(event)
        if time.monotonic() >= ends_at:
            yield Overdue(time.monotonic() - started)
            return


async def wait_for_end(
    client: ComfyClient,
    prompt_id: str,
    *,
    hint: Listener | None = None,
    deadline_s: float | None = None,
    pace: Pace | None = None,
) -> Outcome:
    """`follow` without the updates: the prompt's outcome."""
    updates = follow(client, prompt_id, hint=hint, deadline_s=deadline_s, pace=pace)
    async with contextlib.aclosing(updates):
        async for update in updates:
            if isinstance(update, Succeeded | Failed | Interrupted | Lost | Overdue):
                return update
    raise AssertionError("follow always ends with an outcome")


async def _next(hint: Listener | None, within_s: float) -> SocketEvent | None:
    if hint is not None:
        return await hint.heard(within_s)
    await asyncio.sleep(within_s)
    return None


class _Watch:
    """What was seen of one prompt so far, and when to look again."""

    def __init__(self, client: ComfyClient, prompt_id: str, pace: Pace) -> None:
        self._client = client
        self._prompt_id = prompt_id
        self._pace = pace
        self._seen: Place | None = None
        self._looked = 0.0
        self._over = False
        self._pause_s = pace.first_s
        self._absent = 0
        self._absent_since = 0.0
        self._failures = 0
        self._failing_since = 0.0
        self.next_look = 0.0

    @property
    def running(self) -> bool:
        """Whether the last look found the prompt running."""
        return isinstance(self._seen, Running)

    @property
    def place(self) -> Place | None:
        """Where the last look found the prompt; None when the engine could not be asked."""
        return None if self._failures else self._seen

    def heed(self, event: SocketEvent | None) -> None:
        """Lets a message bring the next look forward."""
        if isinstance(event, Executing) and event.node is None:
            # the last that is said of a prompt, when its history is written
            self._over, self._pause_s = True, self._pace.first_s
            self.next_look = 0.0
        elif isinstance(event, _ENDINGS):
            # the history lags behind this message: look soon, and then often
            self._over, self._pause_s = True, self._pace.first_s
            self.next_look = min(self.next_look, time.monotonic() + self._pace.least_s)
        elif isinstance(event, Connected):
            # anything may have been said meanwhile
            self._pause_s = self._pace.first_s
            self.next_look = min(self.next_look, self._looked + self._pace.least_s)
        elif isinstance(event, _STIRS) and not self.running:
            self.next_look = min(self.next_look, self._looked + self._pace.first_s)

    async def look(self) -> list[Update | Outcome]:
        """Asks the engine once and says what changed."""
        try:
            place = await self._client.find(self._prompt_id, over=self._over)
        except EngineError as error:
            return [self._unreachable(error)]
        now = time.monotonic()
        self._looked = now
        updates: list[Update | Outcome] = []
        if self._failures:
            updates.append(Reachable(now - self._failing_since))
            self._failures = 0
        if isinstance(place, Running | Pending) and place.copies > 1:
            updates.append(Doubled(place.copies))
            place = replace(place, copies=1)
        if place == self._seen:
            self._pause_s = min(self._pace.most_s, self._pause_s * 1.5)
        else:
            self._pause_s = self._pace.first_s
        changed, self._seen = place != self._seen, place
        if not isinstance(place, Absent):
            self._absent = 0
        match place:
            case InHistory(entry):
                updates.append(entry.outcome)
            case Absent():
                updates.append(self._missed(now))
            case Running() if changed:
                updates.append(Started())
            case Pending(ahead) if changed:
                updates.append(Queued(ahead))
        self.next_look = now + self._pause_s
        return updates

    def _missed(self, now: float) -> Update | Outcome:
        if self._absent == 0:
            self._absent_since = now
        self._absent += 1
        absent_s = now - self._absent_since
        if self._absent >= self._pace.lost_looks and absent_s >= self._pace.lost_after_s:
            return Lost(self._absent, absent_s)
        self._pause_s = self._pace.first_s
        return Unseen(self._absent)

    def _unreachable(self, error: EngineError) -> Unreachable:
        now = time.monotonic()
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        # looks before and after an outage say nothing about the time between
        self._absent = 0
        self._looked = now
        self.next_look = now + self._pace.away.delay_s(self._failures - 1)
        return Unreachable(error, now - self._failing_since, self._failures)
