"""What the suite relies on of the programs that run it."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("workers")
def test_a_group_of_tests_stays_in_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist marks a grouped test in its name; where pytest ignores that, every worker
    starts the systems that one should start."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("not run by several workers with --dist loadgroup")
    assert request.node.nodeid.endswith("@workers")
