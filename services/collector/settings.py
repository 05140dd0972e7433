"""Settings of the collector, from ANIMATRIX_COLLECTOR_*."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from runtime.settings import ServiceSettings
from services.collector.adapters.signing import Signer


class Settings(ServiceSettings):
    """How much the collector does at once, how long it may take, and whether it signs.

    `work_dir` holds the media at hand while a job is collected (None: the system's place for
    temporary files); nothing in it outlives a job. With `credentials`, what is delivered carries
    content credentials (C2PA), signed with the named certificate chain (leaf first) and key, both
    PEM; their prompt is told only with `credentials_tell_prompt`.
    """

    model_config = SettingsConfigDict(
        env_prefix="ANIMATRIX_COLLECTOR_", extra="ignore", frozen=True
    )

    slots: int = Field(default=2, gt=0)
    work_dir: Path | None = None
    ffmpeg_deadline_s: float = Field(default=900.0, gt=0)
    credentials: bool = False
    credentials_certificate_file: Path | None = None
    credentials_key_file: Path | None = None
    credentials_tell_prompt: bool = False

    @field_validator("credentials_certificate_file", "credentials_key_file", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _signing_needs_both_files(self) -> Self:
        if self.credentials and self.signer is None:
            raise ValueError(
                "content credentials need ANIMATRIX_COLLECTOR_CREDENTIALS_CERTIFICATE_FILE and "
                "ANIMATRIX_COLLECTOR_CREDENTIALS_KEY_FILE"
            )
        return self

    @property
    def signer(self) -> Signer | None:
        """What signs, or None when nothing is to be signed."""
        certificate, key = self.credentials_certificate_file, self.credentials_key_file
        if not self.credentials or certificate is None or key is None:
            return None
        return Signer(certificate, key)
