"""The demo's files: made by this project, packaged by version, proved by their manifest.

A released version never changes. Must not make them: `python -m cli.demo_assets.make` does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

VERSION = "1.0.0"
FOLDER = Path(__file__).parent
CHARACTER, MOTION, SPEECH = "character.png", "motion.mp4", "speech.wav"


class DemoAssetsDamaged(RuntimeError):
    """A packaged file is missing or is not what the manifest says."""


@dataclass(frozen=True, slots=True)
class DemoAsset:
    """One packaged file; `what` says what it shows."""

    name: str
    path: Path
    sha256: str
    what: str


def demo_assets(version: str = VERSION, folder: Path = FOLDER) -> dict[str, DemoAsset]:
    """The files of a version by name, each checked. Raises DemoAssetsDamaged."""
    place = folder / version
    try:
        listed = json.loads((place / "manifest.json").read_text())["files"]
        assets = [DemoAsset(f["name"], place / f["name"], f["sha256"], f["what"]) for f in listed]
        damaged = [a.name for a in assets if sha256_of(a.path) != a.sha256]
    except (OSError, ValueError, KeyError) as broken:
        raise DemoAssetsDamaged(f"the demo files at {place} cannot be read: {broken}") from broken
    if damaged:
        raise DemoAssetsDamaged(f"changed since they were made: {', '.join(damaged)}")
    return {asset.name: asset for asset in assets}


def sha256_of(path: Path) -> str:
    """Lower-case hex SHA-256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
