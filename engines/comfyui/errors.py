"""Every error that the ComfyUI client raises, in one place.

Owns the names by which a caller tells failures apart: what never reached the engine, what
the engine refused, and what may or may not have been accepted. It decides nothing about
retries, and no message carries a credential or a whole answer body.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..http.errors import (
    EXCERPT_CHARS,
    EngineError,
    EngineRefused,
    EngineUnreachable,
    ProtocolError,
    excerpt,
)

__all__ = [
    "EXCERPT_CHARS",
    "EngineError",
    "EngineRefused",
    "EngineUnreachable",
    "InputError",
    "OutputMissing",
    "PromptRefused",
    "ProtocolError",
    "RangeRefused",
    "SubmitUncertain",
    "UploadRefused",
    "excerpt",
]


class SubmitUncertain(EngineError):
    """POST /prompt got no usable answer: the prompt may or may not be queued.

    Never send it again before `ComfyClient.find` has said `Absent` over a grace period: a
    500 is possible although the prompt was queued, and the same id twice runs twice.
    """

    def __init__(self, engine: str, prompt_id: str, cause: str) -> None:
        super().__init__(engine, cause)
        self.prompt_id = prompt_id


@dataclass(frozen=True, slots=True)
class InputError:
    """One thing that is wrong with one node: `kind` is the server's error type."""

    node_id: str
    class_type: str
    kind: str
    message: str
    details: str
    input_name: str | None = None


class PromptRefused(EngineError):
    """The engine does not take this graph.

    `kind` is the server's error.type (`invalid_prompt`, `prompt_outputs_failed_validation`,
    ...), or `partly_invalid` for node errors on a 200, `too_large` for a 413. `withdrawn` is
    False only when a partly valid prompt was accepted and could not be taken back yet:
    something of it may run.
    """

    def __init__(
        self,
        engine: str,
        kind: str,
        message: str,
        *,
        details: str = "",
        node_errors: tuple[InputError, ...] = (),
        withdrawn: bool = True,
    ) -> None:
        first = node_errors[0] if node_errors else None
        where = f"; node {first.node_id} ({first.class_type}): {first.kind}" if first else ""
        super().__init__(engine, f"prompt refused, {kind}: {excerpt(message)}{where}")
        self.kind = kind
        self.message = message
        self.details = details
        self.node_errors = node_errors
        self.withdrawn = withdrawn


class UploadRefused(EngineError):
    """The engine does not take this file: 413 (too large) or 400 (name or folder)."""

    def __init__(
        self, engine: str, cause: str, *, status: int, limit_bytes: int | None = None
    ) -> None:
        super().__init__(engine, cause)
        self.status = status
        self.limit_bytes = limit_bytes


class OutputMissing(EngineError):
    """404 on /view: the engine names a file that it does not have (any more)."""

    def __init__(self, engine: str, cause: str, filename: str) -> None:
        super().__init__(engine, cause)
        self.filename = filename


class RangeRefused(EngineError):
    """416 on /view: the file has no such bytes; `size_bytes` is its length where told."""

    def __init__(self, engine: str, cause: str, size_bytes: int | None) -> None:
        super().__init__(engine, cause)
        self.size_bytes = size_bytes
