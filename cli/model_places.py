"""Where an operator keeps model files: settings with the prefix ANIMATRIX_MODELS_.

The defaults are the storage of SRS §13A. Must not copy a file.
"""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from planning.models import NeededModel


class ModelPlaces(BaseSettings):
    """Paths on the machine of an engine, and the bucket that files are hydrated from."""

    model_config = SettingsConfigDict(
        env_prefix="ANIMATRIX_MODELS_", extra="ignore", frozen=True, protected_namespaces=()
    )

    comfyui_root: str = Field(default="/opt/dlami/nvme/ComfyUI", description="ComfyUI's folder")
    staging_root: str = Field(
        default="/opt/dlami/nvme/model-staging", description="where files wait before they go in"
    )
    hf_cache: str = Field(
        default="/opt/dlami/nvme/hf", description="what packages fetch for themselves (HF_HOME)"
    )
    log_root: str = Field(default="/opt/dlami/nvme/model-logs", description="logs of hydration")
    hydration_prefix: str = Field(
        default="s3://project-velocity/models/", description="the bucket and prefix of all files"
    )

    def destination(self, folder: str, file: str) -> str:
        """Where the engine looks for a file."""
        return f"{self.comfyui_root.rstrip('/')}/models/{folder}/{file}"

    def staged(self, file: str) -> str:
        """Where a file waits."""
        return f"{self.staging_root.rstrip('/')}/{file}"

    def sources(self, model: NeededModel) -> tuple[str, ...]:
        """The prefixes below which a file lies, one for each model family that uses it."""
        prefix = self.hydration_prefix.rstrip("/")
        return tuple(f"{prefix}/{family}/" for family in model.families)
