"""Takes secrets out of what is logged: by the name of the field, and by the look of the text.

The last line of defence: code must not log secrets in the first place. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[hidden]"
_NAMES = re.compile(
    r"(?i)(^|_)(authorization|cookie|password|passwd|secret|token|api_key|access_key|credential)s?$"
)
_LOOKS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Our own API keys: the public beginning may stay.
    (re.compile(r"\b(ax_[0-9a-f]{12})_[A-Za-z0-9_-]{43}"), rf"\1_{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), HIDDEN),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{HIDDEN}@"),
    (
        re.compile(r"(?i)((?:x-amz-signature|x-amz-credential|token|key|secret)=)[^&\s\"']+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(/api/shared/)[0-9a-f]{24}\.\d+\.[A-Za-z0-9_-]+"), rf"\1{HIDDEN}"),
)
_DEEPEST = 6


def redacted(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern, instead in _LOOKS:
        text = pattern.sub(instead, text)
    return text


def redact(value: Any, name: str = "", depth: int = 0) -> Any:
    """A value of a log line without secrets; mappings and lists are gone through."""
    if name and value is not None and _NAMES.search(name):
        return HIDDEN
    if isinstance(value, str):
        return redacted(value)
    if depth >= _DEEPEST:
        return redacted(repr(value))
    if isinstance(value, Mapping):
        return {key: redact(one, str(key), depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(one, "", depth + 1) for one in value]
    return value if isinstance(value, int | float | bool | type(None)) else redacted(str(value))


def redact_line(_logger: Any, _method: str, line: Mapping[str, Any]) -> dict[str, Any]:
    """A structlog processor; the names it does not know (`_record`) are left alone."""
    return {
        name: value if name.startswith("_") else redact(value, name) for name, value in line.items()
    }
