"""Files on this machine that somebody may have left: half uploads, engines' inputs and outputs.

Lists and removes; what is named is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OURS = "animatrix"
"""The folder below an engine's input and output that we alone fill."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file, its size, the time of its last write (seconds since the epoch), and its owner: the
    content hash of an input, the job of an output, empty for a half upload."""

    path: Path
    size_bytes: int
    written_s: float
    owner: str = ""


def half_uploads(folder: Path) -> Iterator[Leftover]:
    """Uploads under way, or left by a process that died."""
    for path in sorted(folder.glob("*.part")):
        yield from _seen(path, "")


def engine_inputs(engine_folder: Path) -> Iterator[Leftover]:
    """What we uploaded to an engine, by content."""
    folder = engine_folder / "input" / OURS
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield from _seen(path, path.name.partition(".")[0])


def engine_outputs(engine_folder: Path) -> Iterator[Leftover]:
    """What an engine made for us, by job."""
    folder = engine_folder / "output" / OURS
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        yield from _seen(path, path.relative_to(folder).parts[0])


def _seen(path: Path, owner: str) -> Iterator[Leftover]:
    try:
        if path.is_symlink() or not path.is_file():
            return
        stat = path.stat()
    except FileNotFoundError:
        return
    yield Leftover(path, stat.st_size, stat.st_mtime, owner)


def remove(leftover: Leftover) -> None:
    """Remove a file, and the folders that are empty without it, up to ours."""
    leftover.path.unlink(missing_ok=True)
    for folder in leftover.path.parents:
        if folder.name == OURS or OURS not in folder.parts:
            return
        try:
            folder.rmdir()
        except OSError:
            return
