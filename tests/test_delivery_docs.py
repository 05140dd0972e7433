"""Every test that docs/delivery.md names exists, so that no promise is pinned by a name alone."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`(test_\w+)`")
FILES = re.compile(r"`(tests/[\w/]+\.py)`")


def test_every_test_that_the_promises_name_exists() -> None:
    text = (ROOT / "docs" / "delivery.md").read_text()
    named, files = set(NAMED.findall(text)), set(FILES.findall(text))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 40
    assert named - defined == set()
    assert {file for file in files if not (ROOT / file).exists()} == set()


def test_every_promise_names_a_test() -> None:
    text = (ROOT / "docs" / "delivery.md").read_text()
    promises = text.partition("## The promises")[2].partition("\n## ")[0]
    for promise in re.split(r"\n(?=\d+\. )", promises)[1:]:
        assert NAMED.search(promise) or FILES.search(promise), promise
