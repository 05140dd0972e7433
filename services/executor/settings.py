"""The executor's settings: which engines, with which credentials, and how patient it is.

Owns the prefix ANIMATRIX_EXECUTOR_. No secret has a default, and none shows in repr or logs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from contracts.base import Token
from contracts.engines import EngineKind
from engines.http.address import Basic, Bearer, EngineAddress, Timeouts
from runtime.settings import ServiceSettings


class SharedOutputs(BaseModel):
    """A folder that a WebUI and this machine both see: its path there, and here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    there: str
    here: Path


class EngineSettings(BaseModel):
    """One engine and how to be let in. Without `lanes` it runs every lane it is fit for.

    For a WebUI only: `shared_outputs` where Deforum's frames cannot be fetched over HTTP, and
    `motion_models` where the server runs without its page and cannot tell them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine_id: Token
    kind: EngineKind = "comfyui"
    url: str
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    basic_user: str | None = None
    basic_password: SecretStr | None = None
    bearer: SecretStr | None = None
    ca_file: Path | None = None
    lanes: tuple[Token, ...] | None = None
    read_timeout_s: float = Field(default=60.0, gt=0)
    shared_outputs: SharedOutputs | None = None
    motion_models: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _address_is_valid(self) -> Self:
        self.address()
        if self.kind != "webui" and (self.shared_outputs or self.motion_models):
            raise ValueError(f"engine {self.engine_id}: these settings are a WebUI's")
        return self

    def address(self) -> EngineAddress:
        """The address with its credentials. Raises ValueError, without echoing a secret."""
        auth: Basic | Bearer | None = None
        if self.bearer is not None:
            auth = Bearer(self.bearer.get_secret_value())
        if self.basic_user is not None:
            if auth is not None:
                raise ValueError(f"engine {self.engine_id}: give a bearer token or Basic, not both")
            password = self.basic_password.get_secret_value() if self.basic_password else ""
            auth = Basic(self.basic_user, password)
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        timeouts = Timeouts(read_s=self.read_timeout_s)
        return EngineAddress(
            self.url, auth=auth, headers=headers, ca_file=self.ca_file, timeouts=timeouts
        )


class Settings(ServiceSettings):
    """What can be set; times are seconds.

    `engines` is a JSON list. For a single engine of a kind `COMFYUI_URL` or `WEBUI_URL` (also
    `ANIMATRIX_EXECUTOR_COMFYUI_URL`, `ANIMATRIX_EXECUTOR_WEBUI_URL`) is enough; they are called
    comfyui-0 and webui-0.
    """

    model_config = SettingsConfigDict(
        env_prefix="ANIMATRIX_EXECUTOR_", extra="ignore", frozen=True, populate_by_name=True
    )

    engines: tuple[EngineSettings, ...] = ()
    comfyui_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("ANIMATRIX_EXECUTOR_COMFYUI_URL", "COMFYUI_URL"),
    )
    webui_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("ANIMATRIX_EXECUTOR_WEBUI_URL", "WEBUI_URL"),
    )
    lanes: tuple[Token, ...] = Field(default=(), description="every lane of the installation")
    staged: int = Field(default=1, ge=0, le=4)
    max_attempts: int = Field(default=3, ge=1, le=20)
    probe_interval_s: float = Field(default=5.0, gt=0)
    catalogue_interval_s: float = Field(default=60.0, gt=0)
    webui_catalogue_interval_s: float = Field(default=30.0, gt=0)
    comfyui_stall_s: float = Field(default=900.0, gt=0)
    webui_poll_s: float = Field(default=1.0, gt=0)
    deforum_stall_s: float = Field(default=600.0, gt=0)
    deforum_settle_s: float = Field(default=5.0, gt=0)
    deforum_find_s: float = Field(default=10.0, gt=0)
    idle_poll_s: float = Field(default=2.0, gt=0)
    lane_patience_s: float = Field(default=120.0, gt=0)
    lane_turn_s: float = Field(default=600.0, ge=0)
    retry_away_s: float = Field(default=2.0, gt=0)
    engine_gone_s: float = Field(default=600.0, gt=0)
    cancel_patience_s: float = Field(default=30.0, gt=0)
    job_look_interval_s: float = Field(default=5.0, gt=0)
    progress_interval_s: float = Field(default=0.25, gt=0)
    live_preview_interval_s: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [engine.engine_id for engine in self.all_engines()]
        if len(set(ids)) != len(ids):
            raise ValueError("two engines have the same engine_id")
        return self

    def all_engines(self) -> tuple[EngineSettings, ...]:
        """The engines to serve, at least one. Raises ValueError when none is named."""
        if self.engines:
            return self.engines
        named: tuple[tuple[EngineKind, str | None], ...] = (
            ("comfyui", self.comfyui_url),
            ("webui", self.webui_url),
        )
        found = tuple(
            EngineSettings(engine_id=f"{kind}-0", kind=kind, url=url) for kind, url in named if url
        )
        if not found:
            raise ValueError(
                "no engine is named: set COMFYUI_URL, WEBUI_URL or ANIMATRIX_EXECUTOR_ENGINES"
            )
        return found
