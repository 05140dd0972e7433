"""Where a job's frames lie and how they are read: over HTTP or through a shared folder.

Owns the names of frame files and the walls around the shared folder: what the server says
about its paths is hostile.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

from .client import WebUIClient
from .errors import CapabilityMissing, FileMissing

MOST_FILE_BYTES = 128 * 1024 * 1024


class FrameSource(Protocol):
    """Reads and places files on the machine of the engine."""

    async def read(self, outdir: str, name: str) -> bytes:
        """The file `name` in the job's folder. Raises FileMissing, EngineError."""
        ...

    async def place(self, data: bytes, name: str) -> str:
        """Puts an init image where the server finds it; its path there. Raises EngineError."""
        ...


@dataclass(frozen=True, slots=True)
class OverHttp:
    """Through /file= and /upload of a server that runs with its UI."""

    client: WebUIClient

    async def read(self, outdir: str, name: str) -> bytes:
        """GET /file=. Raises FileMissing, EngineRefused where it may not serve the folder."""
        return await self.client.file(joined(outdir, name))

    async def place(self, data: bytes, name: str) -> str:
        """POST /upload."""
        return await self.client.upload(data, name=name)


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """A folder both machines see: `there` is its path on the server, `here` on this one."""

    engine: str
    there: str
    here: Path

    async def read(self, outdir: str, name: str) -> bytes:
        """The file, from disk. Raises FileMissing, CapabilityMissing for a folder outside."""
        path = self._local(joined(outdir, name))
        return await asyncio.to_thread(self._read, path)

    async def place(self, data: bytes, name: str) -> str:
        """Writes into `inputs/` of the shared folder."""
        relative = PurePosixPath("inputs") / PurePosixPath(name).name
        await asyncio.to_thread(self._write, self.here / relative, data)
        return joined(self.there, str(relative))

    def _local(self, path: str) -> Path:
        pure = _pure(path)
        try:
            relative = pure.relative_to(_pure(self.there))
        except ValueError as error:
            missing = f"{path} does not lie in the shared folder {self.there}."
            raise CapabilityMissing(self.engine, (missing,)) from error
        local = self.here.joinpath(*relative.parts).resolve()
        if not local.is_relative_to(self.here.resolve()):
            missing = f"{path} leads out of the shared folder."
            raise CapabilityMissing(self.engine, (missing,))
        return local

    def _read(self, path: Path) -> bytes:
        try:
            if path.stat().st_size > MOST_FILE_BYTES:
                raise FileMissing(self.engine, f"{path} is too large for a frame", str(path))
            return path.read_bytes()
        except OSError as error:
            raise FileMissing(self.engine, f"{path}: {error.strerror}", str(path)) from error

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        part.replace(path)


def frame_name(timestring: str, at: int) -> str:
    """The file of frame `at` (from 0); the time string tells runs into one folder apart."""
    return f"{timestring}_{at:09}.png"


def movie_name(timestring: str) -> str:
    """The video of a job that made one."""
    return f"{timestring}.mp4"


def joined(folder: str, name: str) -> str:
    """A path on the server, in the style of its system."""
    return str(_pure(folder) / name)


def _pure(path: str) -> PurePosixPath | PureWindowsPath:
    windows = "\\" in path and not path.startswith("/")
    return PureWindowsPath(path) if windows else PurePosixPath(path)
