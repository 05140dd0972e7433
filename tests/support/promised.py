"""What a run without a program means: a skip on a laptop, a failure where programs are promised.

Must not look for a program itself.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(missing: str) -> NoReturn:
    """With ANIMATRIX_REQUIRE_SERVERS set what is missing fails the test, else it is skipped."""
    if os.environ.get("ANIMATRIX_REQUIRE_SERVERS"):
        pytest.fail(missing)
    pytest.skip(missing)
