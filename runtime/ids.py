"""Ids: fresh ones are UUIDv7, so that they sort by the time they were minted."""

from __future__ import annotations

import re

from uuid_utils.compat import uuid7

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """A new UUIDv7 in canonical form."""
    return str(uuid7())


def is_id(text: str) -> bool:
    """True for a canonical id; anything else could be a wildcard on the bus, or a path."""
    return _ID.fullmatch(text) is not None
