"""Temporary folders of this process, below its own folder, gone when the work is done.

Must not keep anything that is needed later.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ABANDONED_AFTER_S = 24 * 3600.0


class Workbench:
    """A folder for work in progress. What an earlier process of this name left is removed."""

    def __init__(self, folder: Path) -> None:
        """Empty and make the folder; remove what killed processes left beside it long ago."""
        shutil.rmtree(folder, ignore_errors=True)
        _sweep(folder.parent)
        folder.mkdir(parents=True, mode=0o700)
        self._folder = folder.resolve()

    @contextmanager
    def place(self) -> Iterator[Path]:
        """A fresh folder that is removed with everything in it."""
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as name:
            yield Path(name)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    if not parent.is_dir():
        return
    oldest = time.time() - _ABANDONED_AFTER_S
    for folder in parent.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)
