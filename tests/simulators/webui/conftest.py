"""A simulated WebUI for each test and a plain HTTP client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.webui import WebUISimulator, start_webui


@pytest.fixture
def webui(tmp_path: Path) -> Iterator[WebUISimulator]:
    """A simulator that never waits between steps."""
    with start_webui(tmp_path / "webui") as started:
        yield started


@pytest.fixture
def http(webui: WebUISimulator) -> Iterator[httpx.Client]:
    """A plain client of it."""
    with httpx.Client(base_url=webui.url, timeout=30) as client:
        yield client
