"""Media for the fault tests, and one system for those that leave it whole.

Starting a system costs more than most of what is done to it: a test that ends with every part
running and every job ended shares this one, and judges only its own jobs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.conftest import hero, motion, speech
from tests.support.system import System, running_system

__all__ = ["hero", "motion", "speech"]


@pytest.fixture(scope="session")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system whose parts may be killed; its tests are of the group `faults`."""
    var = tmp_path_factory.mktemp("shaken") / "var"
    env = {"COMFYUI_SIMULATOR_SPEED": "0.2", "WEBUI_SIMULATOR_SPEED": "0.2"}
    with running_system(var, **env) as system:
        yield system
