"""A lasting record of what the simulator was given and what it executed.

Owns one JSON-lines file, appended to over restarts and flushed line by line, so that a
killed process leaves an honest record. It must not be read by the simulator's own logic.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any


class Journal:
    """Appends entries; each has ``event``, ``time`` (Unix seconds) and ``pid``.

    Events: boot, accepted, started, finished. ``finished`` carries prompt_id, client_id,
    started_at, ended_at, nodes_run, nodes_cached, outcome (success, error, interrupted),
    files and, for an error, error {node_id, exception_type}.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8")

    def add(self, event: str, **facts: Any) -> None:
        """Writes one line and flushes it."""
        entry = {"event": event, "time": time.time(), "pid": os.getpid(), **facts}
        with self._lock:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._file.flush()

    def entries(self, event: str | None = None, prompt_id: str | None = None) -> list[Any]:
        """All entries so far, of this process and earlier ones, filtered."""
        with self._lock:
            lines = self._path.read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines if line]
        return [
            e
            for e in found
            if event in (None, e["event"]) and prompt_id in (None, e.get("prompt_id"))
        ]
