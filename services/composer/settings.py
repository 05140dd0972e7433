"""Settings of the composer, from ANIMATRIX_COMPOSER_*."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """How many jobs are composed side by side."""

    model_config = SettingsConfigDict(env_prefix="ANIMATRIX_COMPOSER_", extra="ignore", frozen=True)

    slots: int = Field(default=4, gt=0)
