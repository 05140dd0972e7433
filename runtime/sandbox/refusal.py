"""How decoding says that a file cannot be used. Must not import anything of contracts."""

from __future__ import annotations


class Refused(Exception):
    """The file is refused: a code of the error catalogue (its wire value) and the exact cause."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
