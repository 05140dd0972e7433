"""What an error answer of A1111 or Forge says.

Owns the shapes: a sentence in `detail`, a list of fields in `detail`, an exception's name with
its text in `errors` or `message`, plain text. It sends nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..http.transport import Answer
from .errors import EngineError, FieldError, GenerationFailed, RequestRefused, excerpt

MOST_FIELDS = 50
_MEMORY = re.compile(r"out of memory|OutOfMemory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """An error body, read: the exception's or error's name, a line of text, unfit fields."""

    kind: str
    message: str
    fields: tuple[FieldError, ...] = ()


def told_in(answer: Answer) -> Told:
    """What the body says, in whatever shape it comes; never raises."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return Told("", answer.text())
    if not isinstance(body, Mapping):
        return Told("", answer.text())
    kind = str(body.get("error") or "")
    detail = body.get("detail")
    if isinstance(detail, list):
        fields = tuple(_field(item) for item in detail[:MOST_FIELDS])
        return Told(kind, "; ".join(f"{f.where}: {f.message}" for f in fields[:3]), fields)
    texts = (detail, body.get("errors"), body.get("message"))
    message = next((text for text in texts if isinstance(text, str) and text), "")
    return Told(kind, excerpt(message) or answer.text())


def error_for(engine: str, method: str, path: str, answer: Answer) -> EngineError:
    """The typed error for a 4xx or 500 of a route that works on a request."""
    told = told_in(answer)
    cause = f"{method} {path}: {answer.status} {told.kind} {told.message}".rstrip()
    if answer.status < 500:
        return RequestRefused(
            engine,
            cause,
            status=answer.status,
            kind=told.kind,
            message=told.message,
            fields=told.fields,
        )
    out_of_memory = bool(_MEMORY.search(f"{told.kind} {told.message}"))
    return GenerationFailed(
        engine, cause, kind=told.kind, message=told.message, out_of_memory=out_of_memory
    )


def _field(item: Any) -> FieldError:
    if not isinstance(item, Mapping):
        return FieldError("", excerpt(str(item)), "")
    where = item.get("loc")
    parts = where if isinstance(where, list) else [where]
    return FieldError(
        where=excerpt(".".join(str(part) for part in parts)),
        message=excerpt(str(item.get("msg") or "")),
        kind=excerpt(str(item.get("type") or "")),
    )
