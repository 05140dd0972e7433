"""Signs and verifies share links. Pure: the secret and the time are given.

A link names its share and its end, signed with HMAC-SHA256, so that a made-up one is refused
without a look into the database. Must not know what a link shows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime

_LINK = re.compile(r"([0-9a-f]{24})\.(\d{1,12})\.([A-Za-z0-9_-]{43})")


def _signature(secret: bytes, share_id: str, ends_s: int) -> str:
    mac = hmac.new(secret, f"animatrix share {share_id} {ends_s}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


def link(secret: bytes, share_id: str, expires_at: datetime) -> str:
    """The signed name of a share, good until `expires_at` (whole seconds)."""
    ends_s = int(expires_at.timestamp())
    return f"{share_id}.{ends_s}.{_signature(secret, share_id, ends_s)}"


def share_of(secret: bytes, text: str, at: datetime) -> str | None:
    """The share that a link names; None for one that is not ours or has run out."""
    found = _LINK.fullmatch(text)
    if found is None:
        return None
    share_id, ends_s = found[1], int(found[2])
    if not hmac.compare_digest(found[3], _signature(secret, share_id, ends_s)):
        return None
    return share_id if at < datetime.fromtimestamp(ends_s, UTC) else None
