"""Everything one running simulator holds.

Owns the wiring of queue, worker, sockets and files, and the counter that numbers prompts.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from simulators.comfyui.catalogue import Catalogue, load_catalogue
from simulators.comfyui.executor import Executor
from simulators.comfyui.faults import FaultBoard
from simulators.comfyui.files import Files
from simulators.comfyui.journal import Journal
from simulators.comfyui.queue import PromptQueue
from simulators.comfyui.settings import Settings
from simulators.comfyui.sockets import Hub


@dataclass
class State:
    """The parts of one simulator. ``number`` hands out the numbers of prompts."""

    settings: Settings
    catalogue: Catalogue
    files: Files
    faults: FaultBoard
    journal: Journal
    hub: Hub
    queue: PromptQueue
    executor: Executor
    features: dict[str, Any]
    _next_number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self, body: Any) -> float:
        """A prompt's place in the queue: as asked for, or the next (negative for ``front``).

        Refused prompts use up a number too. Raises ValueError for a number that is none.
        """
        asked = body if isinstance(body, dict) else {}
        if "number" in asked:
            return float(asked["number"])
        with self._lock:
            number = self._next_number
            self._next_number += 1
        return -number if asked.get("front") else number


def build(settings: Settings) -> State:
    """The parts for one set of settings; the worker is not started yet."""
    faults, files, catalogue = FaultBoard(), Files(settings.state), load_catalogue()
    journal = Journal(settings.journal)
    features = {
        "supports_preview_metadata": True,
        "max_upload_size": settings.max_upload_bytes,
    }
    hub = Hub(faults, features)

    def changed(remaining: int) -> None:
        hub.send("status", {"status": {"exec_info": {"queue_remaining": remaining}}})

    queue = PromptQueue(changed)
    executor = Executor(
        queue, hub, catalogue, files, faults, journal, settings.step_s, settings.previews
    )
    return State(settings, catalogue, files, faults, journal, hub, queue, executor, features)
