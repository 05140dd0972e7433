"""The base of every contract: frozen, closed to unknown fields, with one canonical byte form.

Must not know any particular event or record.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Uuid = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
]
Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A name that may stand between two dots of a subject."""
MediaKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._/-]{0,400}$", max_length=400)
]
"""A key in the media store: relative, forward slashes, never a path of a machine."""
Scalar = bool | int | float | str


class Contract(BaseModel):
    """An immutable value that crosses a process boundary; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredFile(Contract):
    """A file in the media store, named by key and proved by hash."""

    key: MediaKey
    sha256: Sha256
    size_bytes: int


def canonical_bytes(value: Contract | dict[str, Any] | list[Any]) -> bytes:
    """The one byte form that is hashed: sorted keys, no spaces, UTF-8.

    Two processes given equal values return equal bytes.
    """
    plain = value.model_dump(mode="json") if isinstance(value, Contract) else value
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sha256_hex(data: bytes) -> str:
    """Lower-case hex SHA-256 of the bytes."""
    return hashlib.sha256(data).hexdigest()
