"""The logs of the supervised processes: opened for appending, cut when they grow too large.

Must not read what is in them beyond the tail that a failure shows.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 16 * 1024 * 1024
KEPT = 2


def rotate(log: Path, max_bytes: int = MAX_LOG_BYTES) -> bool:
    """Move a log that has grown too large to `<name>.1`, an older one to `.2`; True when it was.

    The file is copied and emptied, not renamed, because a running process keeps it open; lines
    written in that instant are lost.
    """
    try:
        if log.stat().st_size <= max_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(KEPT, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)
    return True


def tail_of(log: Path, lines: int = 12, max_bytes: int = 8192) -> tuple[str, ...]:
    """The last lines of a log, none when there is no log."""
    try:
        with log.open("rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - max_bytes))
            text = source.read().decode(errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(text.splitlines()[-lines:])
