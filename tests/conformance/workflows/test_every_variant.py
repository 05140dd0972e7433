"""Every workflow with every profile gives the video that its plan promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.server import Server
from tests.conformance.workflows.running import SIZE_PX, missing_files, planned, run
from tests.conformance.workflows.variants import PROFILES, WORKFLOW_NAMES, request_for


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", WORKFLOW_NAMES)
async def test_a_variant_gives_the_promised_frames(
    server: Server, tmp_path: Path, name: str, profile: str, record_property: object
) -> None:
    made = planned(request_for(name, quality_profile=profile))
    if missing := await missing_files(server, made):
        pytest.skip(f"this server lacks {', '.join(missing)}")
    result = await run(server, made, tmp_path)
    width_px, height_px = SIZE_PX
    assert result.frames.shape == (made.delivery.frames, height_px, width_px, 3)
    for output in result.bound[0].outputs:
        assert len(result.videos[0][output.name]) == output.frames
    assert callable(record_property)
    record_property("ran_s", round(result.ran_s, 2))
    record_property("frames", made.delivery.frames)
    record_property("size_px", f"{width_px}x{height_px}")
