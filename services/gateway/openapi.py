"""Writes the API's description, from which the studio's types are made: `make openapi`.

Must not start anything.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from services.gateway.web import described_app


def document() -> str:
    """The OpenAPI document as the gateway serves it, in one fixed form."""
    return json.dumps(described_app().openapi(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document())
