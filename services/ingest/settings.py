"""Ingest's settings: how much at once, how large, how long. Prefix ANIMATRIX_INGEST_."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from runtime.probe import ProbeLimits
from runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """What may be set. Sizes in pixels or bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="ANIMATRIX_INGEST_", extra="ignore", frozen=True)

    asset_slots: int = Field(default=2, ge=1, le=64)
    job_slots: int = Field(default=2, ge=1, le=64)
    max_image_pixels: int = Field(default=40_000_000, ge=1)
    max_video_side_px: int = Field(default=4096, ge=16)
    max_duration_s: float = Field(default=900.0, gt=0)
    probe_deadline_s: float = Field(default=120.0, gt=0)
    probe_memory_bytes: int = Field(default=3 << 30, ge=512 << 20)
    normalise_deadline_s: float = Field(default=900.0, gt=0)
    work_dir: Path | None = Field(
        default=None, description="folder for temporary files; below the state folder without it"
    )

    def probe_limits(self) -> ProbeLimits:
        """The limits for probing uploads and results."""
        return ProbeLimits(
            max_image_pixels=self.max_image_pixels,
            max_video_side_px=self.max_video_side_px,
            max_duration_s=self.max_duration_s,
            deadline_s=self.probe_deadline_s,
            address_space_bytes=self.probe_memory_bytes,
        )
