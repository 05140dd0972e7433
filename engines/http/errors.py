"""The errors that every engine client raises, whatever server it speaks to.

Owns the names by which a caller tells apart what never reached an engine, what an engine did
not let in and what no such server answers. It decides nothing about retries, and no message
carries a credential or a whole answer body.
"""

from __future__ import annotations

EXCERPT_CHARS = 400


def excerpt(text: str) -> str:
    """The start of a foreign text on one line, at most `EXCERPT_CHARS` characters."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARS else f"{line[:EXCERPT_CHARS]}… ({len(line)} chars)"


class EngineError(Exception):
    """Something went wrong between us and one engine; `engine` is its address, no secrets."""

    def __init__(self, engine: str, cause: str) -> None:
        super().__init__(f"{engine}: {cause}")
        self.engine = engine
        self.cause = cause


class EngineUnreachable(EngineError):
    """The engine did not answer, and what was asked had no effect or may be asked again.

    Connection refused or broken, timeout, or 429/5xx on an idempotent request.
    """


class EngineRefused(EngineError):
    """401 or 403: the credentials are wrong, or the engine refuses this origin."""

    def __init__(self, engine: str, cause: str, status: int) -> None:
        super().__init__(engine, cause)
        self.status = status


class ProtocolError(EngineError):
    """An answer that no such server gives: not JSON, another shape, an unexpected status."""
