"""The prompt queue and the history of one simulator.

Owns who waits, who runs and what is remembered; thread-safe. It must not run anything.
History lives in memory only, as on the real server: a restart forgets it.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_HISTORY = 10_000


@dataclass(frozen=True)
class QueuedPrompt:
    """An accepted prompt. ``number`` orders the queue, lower first; then prompt_id."""

    number: float
    prompt_id: str
    graph: dict[str, Any]
    extra: dict[str, Any]
    outputs: list[str]

    def listed(self) -> list[Any]:
        """The prompt as /queue and /history show it."""
        return [self.number, self.prompt_id, self.graph, self.extra, self.outputs]

    @property
    def client_id(self) -> str | None:
        """Whom the messages go to; None means nobody in particular."""
        return self.extra.get("client_id")


class PromptQueue:
    """Waiting and running prompts, and what became of earlier ones."""

    def __init__(self, changed: Callable[[int], None]) -> None:
        self._changed = changed
        self._lock = threading.Condition()
        self._waiting: list[tuple[float, str, int, QueuedPrompt]] = []
        self._order = itertools.count()
        self._running: QueuedPrompt | None = None
        self._history: dict[str, dict[str, Any]] = {}
        self._interrupted = False

    def put(self, prompt: QueuedPrompt) -> None:
        """Adds a prompt."""
        with self._lock:
            entry = (prompt.number, prompt.prompt_id, next(self._order), prompt)
            heapq.heappush(self._waiting, entry)
            self._tell()
            self._lock.notify_all()

    def take(self, timeout_s: float) -> QueuedPrompt | None:
        """The next prompt, now running; None when nothing came in time or one is asked to wake."""
        with self._lock:
            if not self._waiting:
                self._lock.wait(timeout_s)
            if not self._waiting:
                return None
            self._running = heapq.heappop(self._waiting)[-1]
            self._interrupted = False
            self._tell()
            return self._running

    def wake(self) -> None:
        """Makes a waiting worker look up."""
        with self._lock:
            self._lock.notify_all()

    def finish(self, prompt: QueuedPrompt, result: dict[str, Any]) -> None:
        """Records a result; only from here on is the prompt in the history."""
        with self._lock:
            self._running = None
            if len(self._history) >= MAX_HISTORY:
                self._history.pop(next(iter(self._history)))
            self._history[prompt.prompt_id] = {"prompt": prompt.listed(), **result}
            self._tell()

    def remaining(self) -> int:
        """Waiting prompts and the running one."""
        with self._lock:
            return self._remaining()

    def listed(self) -> dict[str, list[Any]]:
        """The body of GET /queue; waiting prompts in heap order, not in running order."""
        with self._lock:
            running = [] if self._running is None else [self._running.listed()]
            return {
                "queue_running": running,
                "queue_pending": [entry[-1].listed() for entry in self._waiting],
            }

    def delete(self, prompt_id: str) -> None:
        """Removes a waiting prompt; running and unknown ones are left as they are."""
        with self._lock:
            for entry in self._waiting:
                if entry[1] == prompt_id:
                    self._waiting.remove(entry)
                    heapq.heapify(self._waiting)
                    self._tell()
                    return

    def clear(self) -> None:
        """Removes all waiting prompts."""
        with self._lock:
            self._waiting.clear()
            self._tell()

    def interrupt(self, prompt_id: str | None) -> None:
        """Asks the running prompt to stop; with an id only if that one runs."""
        with self._lock:
            if prompt_id is None or (
                self._running is not None and self._running.prompt_id == prompt_id
            ):
                self._interrupted = True

    def interrupted(self) -> bool:
        """Whether the running prompt was asked to stop."""
        return self._interrupted

    def history(self, prompt_id: str | None = None, newest: int | None = None) -> dict[str, Any]:
        """One entry ({} when unknown), or all of them, or the newest few."""
        with self._lock:
            if prompt_id is not None:
                entry = self._history.get(prompt_id)
                return {} if entry is None else {prompt_id: entry}
            items = list(self._history.items())
            return dict(items if newest is None or newest < 0 else items[-newest:])

    def forget(self, prompt_ids: list[str] | None) -> None:
        """Drops history entries; None drops all."""
        with self._lock:
            for prompt_id in list(self._history) if prompt_ids is None else prompt_ids:
                self._history.pop(prompt_id, None)

    def _remaining(self) -> int:
        return len(self._waiting) + (self._running is not None)

    def _tell(self) -> None:
        self._changed(self._remaining())
