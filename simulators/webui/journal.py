"""A lasting record of what the simulator was given and what it made.

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

    Events: boot, accepted, started, finished. The last three carry ``kind`` (txt2img,
    img2img, extras, deforum) and ``id`` (task id or job id); ``finished`` also outcome
    (success, error, interrupted), frames (how many pictures were made), animated, and for
    an HTTP answer delivered (whether somebody was still listening).
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

    def entries(self, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """All entries so far, of this process and earlier ones, whose fields are as wanted."""
        with self._lock:
            lines = self._path.read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines if line]
        return [e for e in found if all(str(e.get(k)) == v for k, v in wanted.items())]
