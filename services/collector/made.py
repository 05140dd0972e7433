"""What was made for a job and verified, on this machine. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.delivery_facts import DeliveredContainer
from services.collector.artifacts import PictureFiles
from services.collector.rendering import Rendered


@dataclass(frozen=True, slots=True)
class Made:
    """The verified files; `kept` are the frames to keep, in order."""

    video: Rendered
    container: DeliveredContainer
    pose_preview: Rendered | None
    pictures: PictureFiles
    kept: tuple[Path, ...] = ()
