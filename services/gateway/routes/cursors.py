"""Opaque cursors of keyset pages: a place in a stream, as text that nobody should read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from contracts.errors import ErrorCode
from services.gateway.problems import refused
from services.gateway.projection import Row


def read_cursor(cursor: str | None) -> int | None:
    """The place that a cursor stands for. Raises Refused BODY_INVALID for anything else."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        return int(text.removeprefix("b"))
    except (binascii.Error, ValueError) as wrong:
        raise refused(
            ErrorCode.BODY_INVALID,
            sentence="'cursor' does not come from here.",
            remedy="Use the cursor of the page before, or none.",
            field="cursor",
        ) from wrong


def next_cursor(rows: Sequence[Row], limit: int, place: str) -> str | None:
    """The cursor below a full page, None when the page was the last."""
    if len(rows) < limit:
        return None
    return base64.urlsafe_b64encode(f"b{rows[-1][place]}".encode()).decode().rstrip("=")
