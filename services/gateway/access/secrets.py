"""How credentials are made and what is kept of them: only hashes. Pure but for randomness.

Keys and sessions carry 256 bits from the system's generator, so one sha256 keeps them: there is no
guessing to slow down. Must not know where they are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

KEY_PREFIX = "ax_"
_KEY = re.compile(r"ax_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
_SECRET_BYTES = 32


class Minted(NamedTuple):
    """A fresh key: shown once. `key_id` is its public part, what a list shows of it."""

    key_id: str
    key: str


def mint_key() -> Minted:
    """A fresh API key."""
    key_id = f"{KEY_PREFIX}{secrets.token_hex(6)}"
    return Minted(key_id, f"{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}")


def is_key(text: str) -> bool:
    """True for what could be an API key of ours."""
    return _KEY.fullmatch(text) is not None


def mint_session() -> str:
    """A fresh session cookie's value."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> str:
    """What is kept of a key or session: its sha256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(session: str) -> str:
    """The token that a page sends with changes: only who may read our answers knows it."""
    return hmac.new(session.encode(), b"animatrix csrf", hashlib.sha256).hexdigest()


def equal(one: str, other: str) -> bool:
    """Equality in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())
