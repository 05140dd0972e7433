"""The committed description of the API, and the studio's types with it, are current."""

from __future__ import annotations

from pathlib import Path

from services.gateway.openapi import document

COMMITTED = Path(__file__).parents[2] / "frontend" / "openapi.json"


def test_the_committed_description_is_what_the_gateway_serves() -> None:
    assert COMMITTED.read_text() == document(), "run `make openapi`"
