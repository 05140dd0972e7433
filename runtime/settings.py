"""Settings from the environment: what all services share, and the base for their own.

No secret has a default. Must not read files other than those a setting names.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def nats_servers(nats_url: str) -> list[str]:
    """The addresses in a comma-separated list; a cluster is named by all of its nodes."""
    return [server for part in nats_url.split(",") if (server := part.strip())]


class ServiceSettings(BaseSettings):
    """The base of a service's settings; subclasses set `env_prefix="ANIMATRIX_<SERVICE>_"`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)


class SharedSettings(BaseSettings):
    """What every service needs to find its neighbours. Prefix ANIMATRIX_."""

    model_config = SettingsConfigDict(env_prefix="ANIMATRIX_", extra="ignore", frozen=True)

    nats_url: str = Field(
        default="nats://127.0.0.1:4222", description="one address, or every node's with commas"
    )
    nats_password: SecretStr | None = Field(
        default=None, description="of the process's own account, where the bus has accounts"
    )
    media_dir: Path = Path("var/media")
    media_url: str | None = Field(
        default=None, description="s3://bucket or s3://bucket/prefix; without it, the media folder"
    )
    s3_endpoint: str | None = Field(
        default=None, description="http(s)://host[:port] of the S3 server; Amazon's without it"
    )
    s3_public_endpoint: str | None = Field(
        default=None, description="the same server as browsers reach it, for signed addresses"
    )
    s3_region: str = "us-east-1"
    s3_ca_file: Path | None = None
    s3_access_key: SecretStr | None = Field(
        default=None, description="without keys, those of AWS_* or of the machine's role are used"
    )
    s3_secret_key: SecretStr | None = None
    media_cache_dir: Path = Path("var/cache/media")
    media_cache_mb: int = Field(default=20_480, ge=0, description="bound of the local cache")
    state_dir: Path = Path("var/state")
    otlp_endpoint: str | None = Field(
        default=None, description="OTLP/HTTP base URL; spans are not exported without it"
    )
    log_level: str = "INFO"
    instance: str = Field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    health_host: str = "127.0.0.1"
    drain_s: float = Field(default=20.0, gt=0, le=25)

    @property
    def bus_password(self) -> str | None:
        """The password itself, for whoever connects."""
        return self.nats_password.get_secret_value() if self.nats_password else None

    @field_validator(
        "nats_password",
        "media_url",
        "s3_endpoint",
        "s3_public_endpoint",
        "s3_ca_file",
        "s3_access_key",
        "s3_secret_key",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        # A manifest can set a variable to nothing, but cannot leave it out.
        return None if value == "" else value

    @field_validator("media_url")
    @classmethod
    def _names_a_bucket(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme != "s3" or not _BUCKET.match(parts.netloc):
                raise ValueError("the media URL must look like s3://bucket or s3://bucket/prefix")
        return url

    @field_validator("s3_endpoint", "s3_public_endpoint")
    @classmethod
    def _is_an_origin(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                raise ValueError("an S3 endpoint must look like https://host or https://host:port")
            if parts.path not in ("", "/") or parts.query or parts.fragment:
                raise ValueError("an S3 endpoint has no path: give scheme, host and port only")
        return url

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError(
                "give both ANIMATRIX_S3_ACCESS_KEY and ANIMATRIX_S3_SECRET_KEY, or neither"
            )
        return self


def health_port_of(service: str) -> int:
    """The port of a service's health server, from ANIMATRIX_<SERVICE>_HEALTH_PORT; 0 is any."""
    return int(os.environ.get(f"ANIMATRIX_{service.upper()}_HEALTH_PORT", "0"))
