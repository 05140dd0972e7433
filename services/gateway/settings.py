"""Settings of the gateway, prefix ANIMATRIX_GATEWAY_. No secret has a default.

Refuses to listen beyond this machine without an access token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from contracts.media import MediaKind
from planning.limits import parse_size
from runtime.settings import LOOPBACK_HOSTS, ServiceSettings
from services.gateway.access.caller import ROLES, Role
from services.gateway.queue_state import Bounds
from services.gateway.webhooks.verdicts import Policy

OidcAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""Signatures by a key pair only: a secret shared with the issuer could be ours to forge with."""
MEGABYTE = 1024 * 1024
MIN_TOKEN_CHARACTERS = 16


class Settings(ServiceSettings):
    """Where the gateway listens, what it accepts and where its database is."""

    model_config = SettingsConfigDict(env_prefix="ANIMATRIX_GATEWAY_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8321, ge=0, le=65535)
    api_token: SecretStr | None = None
    require_credentials: bool = Field(
        default=False, description="also on this machine nobody gets in without a key"
    )
    session_hours: float = Field(default=12, gt=0, le=24 * 30)
    secure_cookies: bool = Field(
        default=False, description="mark cookies Secure also where the gateway sees no TLS itself"
    )
    submits_per_minute: int = Field(default=120, ge=0, description="per owner; 0 is no limit")
    upload_mb_per_day: int = Field(default=102_400, ge=0, description="per owner; 0 is no limit")
    heartbeat_s: float = Field(
        default=15.0,
        gt=0,
        le=300,
        description="an event stream says something at least so often, and asks whether its "
        "credential is still good; below the idle time of any proxy in front",
    )
    allowed_origins: tuple[str, ...] = ()
    oidc_issuer: str | None = Field(default=None, description="the `iss` of accepted tokens")
    oidc_audience: str | None = Field(default=None, description="the `aud` of accepted tokens")
    oidc_jwks_url: str | None = Field(default=None, description="where the issuer's keys are")
    oidc_algorithms: tuple[OidcAlgorithm, ...] = ("RS256", "ES256", "EdDSA")
    oidc_leeway_s: float = Field(default=30, ge=0, le=300, description="clocks may differ so much")
    oidc_owner_claim: str = "sub"
    oidc_owner_prefix: str = Field(
        default="oidc:", description="keeps owners from tokens apart from those of API keys"
    )
    oidc_roles_claim: str = Field(default="roles", description="with dots for nested claims")
    oidc_roles: dict[str, Role] = Field(
        default={f"animatrix-{role}": role for role in ROLES},
        description="JSON: which value of the roles claim gives which role",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="postgresql://user:password@host/name; without it, a SQLite file",
    )
    secrets_keys: SecretStr | None = Field(
        default=None,
        description="Fernet keys with commas, the newest first; the same for every gateway",
    )
    secrets_keys_file: Path | None = Field(
        default=None, description="the same, one a line; without either a file in the state folder"
    )
    max_image_mb: int = Field(default=64, gt=0)
    max_video_mb: int = Field(default=2048, gt=0)
    max_audio_mb: int = Field(default=256, gt=0)
    min_free_mb: int = Field(default=512, ge=0)
    wait_for_asset_s: float = Field(default=10.0, ge=0, le=60)
    size_override: str | None = Field(
        default=None, description="WIDTHxHEIGHT in pixels for every job; for tiny test models"
    )

    max_active_jobs: int = Field(
        default=0, ge=0, description="jobs of one owner that have not ended; 0 sets no limit"
    )
    queue_warning_per_engine: int = Field(default=10, ge=1)
    queue_warning_wait_s: float = Field(default=1800.0, gt=0)

    webhook_allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="networks that are not public but may get webhooks, also by http"
    )
    webhook_timeout_s: float = Field(default=15.0, gt=0, le=120)
    webhook_attempts: int = Field(default=10, ge=1, le=50)
    webhook_backoff_s: float = Field(default=5.0, gt=0)
    webhook_backoff_max_s: float = Field(default=6 * 3600.0, gt=0)
    webhook_disable_after_s: float = Field(default=3 * 86400.0, gt=0)
    webhooks_per_owner: int = Field(default=20, ge=0)

    trace_url_template: str | None = Field(
        default=None,
        description="where a job's trace is shown, with {job_id} in it; for the console's link",
    )

    sweep_every_h: float = Field(
        default=24.0, ge=0, description="how often files that nobody names are removed; 0 is never"
    )
    sweep_grace_h: float = Field(default=24.0, ge=1, description="how old they must be")
    engine_folders: tuple[Path, ...] = Field(
        default=(), description="ComfyUI folders on this machine whose input and output are swept"
    )

    studio_dir: Path = Field(
        default=Path(__file__).resolve().parents[2] / "frontend" / "dist",
        description="the built studio; without it a plain page is served",
    )
    demo_dir: Path | None = Field(default=None, description="the packaged sample projects")

    @field_validator("trace_url_template")
    @classmethod
    def _template_leads_to_a_job(cls, template: str | None) -> str | None:
        if not template:
            return None
        if not template.startswith(("https://", "http://")) or "{job_id}" not in template:
            raise ValueError("the trace link must be an http(s) address with {job_id} in it")
        return template

    @field_validator(
        "oidc_issuer",
        "oidc_audience",
        "oidc_jwks_url",
        "secrets_keys",
        "secrets_keys_file",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("api_token")
    @classmethod
    def _token_is_long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None or not token.get_secret_value():
            return None
        if len(token.get_secret_value()) < MIN_TOKEN_CHARACTERS:
            raise ValueError(f"the access token needs at least {MIN_TOKEN_CHARACTERS} characters")
        return token

    @field_validator("size_override")
    @classmethod
    def _size_is_two_numbers(cls, size: str | None) -> str | None:
        if size:
            parse_size(size)
        return size or None

    @model_validator(mode="after")
    def _only_loopback_without_token(self) -> Self:
        if self.host not in LOOPBACK_HOSTS and not self.needs_credentials:
            raise ValueError(
                f"refusing to listen on {self.host} without an access token: set "
                "ANIMATRIX_GATEWAY_API_TOKEN, ANIMATRIX_GATEWAY_OIDC_ISSUER or "
                "ANIMATRIX_GATEWAY_REQUIRE_CREDENTIALS=true (keys: `animatrix keys`), "
                "or leave ANIMATRIX_GATEWAY_HOST at 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> Self:
        given = (self.oidc_issuer, self.oidc_audience, self.oidc_jwks_url)
        if any(given) and not all(given):
            raise ValueError(
                "OIDC needs ANIMATRIX_GATEWAY_OIDC_ISSUER, _OIDC_AUDIENCE and _OIDC_JWKS_URL"
            )
        if self.oidc_jwks_url is not None:
            parts = urlsplit(self.oidc_jwks_url)
            here = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
            if not (parts.scheme == "https" and parts.hostname) and not here:
                raise ValueError("the issuer's keys must come over https")
        return self

    @property
    def needs_credentials(self) -> bool:
        """False on a machine without configured credentials: whoever is at it may do all."""
        return (
            self.require_credentials or self.api_token is not None or self.oidc_issuer is not None
        )

    @property
    def queue_bounds(self) -> Bounds:
        """Beyond these a lane counts as saturated."""
        return Bounds(self.queue_warning_per_engine, self.queue_warning_wait_s)

    @property
    def webhook_policy(self) -> Policy:
        """How long a receiver of webhooks is tried."""
        return Policy(
            attempts=self.webhook_attempts,
            backoff_s=self.webhook_backoff_s,
            backoff_max_s=self.webhook_backoff_max_s,
            disable_after_s=self.webhook_disable_after_s,
        )

    @property
    def size_px(self) -> tuple[int, int] | None:
        """The override as (width, height) in pixels."""
        return parse_size(self.size_override) if self.size_override else None

    def upload_limit_bytes(self, kind: MediaKind) -> int:
        """The largest file of a kind that is accepted."""
        limits_mb = {
            "image": self.max_image_mb,
            "video": self.max_video_mb,
            "audio": self.max_audio_mb,
        }
        return limits_mb[kind] * MEGABYTE

    def url_of_database(self, state_dir: Path) -> str:
        """The database's address, by default a SQLite file in the state folder."""
        return self.database_url or f"sqlite+aiosqlite:///{state_dir.resolve()}/gateway.sqlite3"
