"""The files that a completed job delivered: their names, their types, where they lie. Pure.

Made from the outputs row of the read model (services.gateway.projection).
"""

from __future__ import annotations

from pathlib import PurePosixPath

from contracts.base import StoredFile
from contracts.events import JobOutputs
from services.gateway.projection import Row

THE_VIDEO = "video"
"""The name under which a job's video is served whatever it is called and whatever it is."""
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".png": "image/png",
    ".json": "application/json",
}
"""Not the machine's own table: that one differs from system to system and may lack WebP."""


def name_of(file: StoredFile) -> str:
    """The name of a delivered file."""
    return PurePosixPath(file.key).name


def media_type_of(name: str) -> str:
    """The type under which a delivered file is served."""
    return MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def outputs_of(row: Row) -> JobOutputs:
    """The outputs in an outputs row."""
    return JobOutputs.model_validate(row["files"])


def delivered_files(outputs: JobOutputs) -> dict[str, StoredFile]:
    """The delivered files by their name; of kept frames only the index."""
    stored = [value for _, value in outputs if isinstance(value, StoredFile)]
    return {name_of(file): file for file in stored}
