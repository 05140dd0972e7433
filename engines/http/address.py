"""Where an engine is and how to be let in: base URL, credentials, CA, timeouts.

Owns validation of addresses and the hiding of secrets. It opens no connection.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})


@dataclass(frozen=True, slots=True)
class Basic:
    """HTTP Basic credentials; the password stays out of repr."""

    username: str
    password: str = field(repr=False)

    def header(self) -> str:
        """The value of the Authorization header."""
        if ":" in self.username:
            raise ValueError("a Basic user name cannot hold a colon")
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


@dataclass(frozen=True, slots=True)
class Bearer:
    """A Bearer token; it stays out of repr."""

    token: str = field(repr=False)

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self.token}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds per phase of a request.

    Reading is generous: a busy engine answers nobody while it lists a large folder or
    validates what it was sent.
    """

    connect_s: float = 5.0
    read_s: float = 60.0
    write_s: float = 60.0
    pool_s: float = 30.0


@dataclass(frozen=True, slots=True, repr=False)
class EngineAddress:
    """One engine: `base_url` (http or https, a path prefix is kept) and how to be let in.

    User name and password inside the URL are moved to `auth` and leave the URL, so that no
    log line can show them. `headers` are sent with every request and with the websocket.
    `ca_file` is a PEM file trusted instead of the system's authorities.

    Raises ValueError, without echoing secrets, for anything that is no such address.
    """

    base_url: str
    auth: Basic | Bearer | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    timeouts: Timeouts = Timeouts()

    def __post_init__(self) -> None:
        parts = _split(self.base_url)
        if parts.username is not None or parts.password is not None:
            if self.auth is not None:
                raise ValueError("give credentials in the engine's URL or in auth, not in both")
            basic = Basic(unquote(parts.username or ""), unquote(parts.password or ""))
            object.__setattr__(self, "auth", basic)
        host = parts.netloc.rpartition("@")[2]
        clean = urlunsplit((parts.scheme.lower(), host, parts.path.rstrip("/"), "", ""))
        object.__setattr__(self, "base_url", clean)
        object.__setattr__(self, "headers", MappingProxyType(_checked(self.headers, self.auth)))
        if self.ca_file is not None and parts.scheme.lower() != "https":
            raise ValueError("a CA file only makes sense with an https engine URL")

    def request_headers(self) -> dict[str, str]:
        """What to send with every request, the Authorization header included: secret."""
        sent = dict(self.headers)
        if self.auth is not None:
            sent["Authorization"] = self.auth.header()
        return sent

    def ws_url(self, path: str, query: str) -> str:
        """The URL of the engine's websocket at `path` ("/ws") with this query string."""
        parts = urlsplit(self.base_url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        return urlunsplit((scheme, parts.netloc, f"{parts.path}{path}", query, ""))

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context for an https engine, None for http.

        Raises OSError (ssl.SSLError too) for a CA file that cannot be read.
        """
        if not self.base_url.startswith("https:"):
            return None
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)

    def __repr__(self) -> str:
        """The address with the names of what is sent, never the values."""
        names = ", ".join(sorted(self.headers))
        return (
            f"EngineAddress({self.base_url!r}, auth={type(self.auth).__name__}, "
            f"headers=[{names}], ca_file={self.ca_file})"
        )

    def __str__(self) -> str:
        """The base URL, which never holds credentials."""
        return self.base_url


def _split(url: str) -> SplitResult:
    # the sentences leave the URL out: a mistyped one may hold a password
    if any(ch.isspace() or ord(ch) < 32 for ch in url):
        raise ValueError("an engine URL holds no spaces or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the engine URL cannot be read; write http://host:port") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError("an engine URL starts with http:// or https://")
    if not parts.hostname or port == 0:
        raise ValueError("an engine URL names a host and a port other than 0")
    if parts.query or parts.fragment:
        raise ValueError("an engine URL has no query and no fragment")
    return parts


def _checked(headers: Mapping[str, str], auth: Basic | Bearer | None) -> dict[str, str]:
    values = dict(headers)
    sent = [*values.values(), *([auth.header()] if auth else [])]
    if any(not value.isprintable() or not value.isascii() for value in sent):
        raise ValueError("header values and tokens are printable ASCII")
    for name in values:
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise ValueError(f"{name!r} cannot be set as an engine header")
        if auth is not None and name.lower() == "authorization":
            raise ValueError("give the Authorization header or auth, not both")
    return values
