"""No wire is dead: what is changed alone changes the picture, and repeating changes nothing.

Each setting is tried with every workflow and profile that offers it; what a profile does not
offer is refused by planning (tests/planning). A server's cache is emptied before a repetition.
A processor repeats every bit; a GPU may round otherwise, far less than any change shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.media import CropBox
from planning.profiles import wired_settings
from planning.requests import JobRequest
from tests.conformance.server import Server
from tests.conformance.workflows.running import apart, missing_files, planned, repeats_within, run
from tests.conformance.workflows.variants import (
    PROFILES,
    SHORT_S,
    WORKFLOW_NAMES,
    request_for,
)
from tests.planning.examples import (
    IMAGE,
    SECOND_IMAGE,
    WORKFLOWS,
    audio_asset,
    image_asset,
    video_asset,
)

OTHERS = (image_asset(8), image_asset(9), video_asset(10), audio_asset(11))
OTHER_IMAGE, THIRD_IMAGE, OTHER_VIDEO, OTHER_AUDIO = (asset.asset_id for asset in OTHERS)
CROP = CropBox(x_px=50, y_px=50, width_px=300, height_px=300)
EVERYWHERE: dict[str, dict[str, Any]] = {
    "prompt": {"prompt": "a storm over the sea"},
    "seed": {"seed": 99},
    "duration": {"duration_override_seconds": SHORT_S + 0.5},
    "references": {"reference_asset_ids": (SECOND_IMAGE,)},
    "keywords": {"keywords": ("film grain",)},
}
CHARACTER: dict[str, dict[str, Any]] = {
    "character": {"ground_truth_asset_id": OTHER_IMAGE},
    "crop": {"crop": CROP},
}
MEDIA: dict[str, dict[str, dict[str, Any]]] = {
    "wan22_animate_move": {
        **CHARACTER,
        "motion": {"motion_video_asset_id": OTHER_VIDEO},
        "pose_sheet": {"pose_sheet_asset_ids": (IMAGE,)},
    },
    "wan22_animate_mix": {**CHARACTER, "motion": {"motion_video_asset_id": OTHER_VIDEO}},
    "wan22_s2v": {**CHARACTER, "audio": {"audio_asset_id": OTHER_AUDIO}},
    "wan22_fun_inp": {
        "start_frame": {"start_frame_asset_id": OTHER_IMAGE},
        "end_frame": {"end_frame_asset_id": OTHER_IMAGE},
        "no_start_frame": {"start_frame_asset_id": None},
        "no_end_frame": {"end_frame_asset_id": None},
    },
    "wan22_fun_control_pose_sheet": {
        **CHARACTER,
        "first_pose": {"pose_sheet_asset_ids": (OTHER_IMAGE, SECOND_IMAGE)},
        "last_pose": {"pose_sheet_asset_ids": (IMAGE, OTHER_IMAGE)},
        "another_pose": {"pose_sheet_asset_ids": (IMAGE, SECOND_IMAGE, THIRD_IMAGE)},
    },
}
CONTROLLED = {**CHARACTER, "control": {"control_video_asset_id": OTHER_VIDEO}}
SETTINGS: dict[str, dict[str, Any]] = {
    "negative_prompt": {"negative_prompt": "rain"},
    "relighting": {"relighting": False},
    "framing_mode": {"framing_mode": "portrait"},
    "audio_adherence_profile": {"audio_adherence_profile": "strict"},
}


def changes_of(name: str, profile: str) -> dict[str, dict[str, Any]]:
    """Every change that must show with this workflow and profile."""
    version = next(v for v in WORKFLOWS.active if v.ref.name == name)
    found = next(p for key, p in version.manifest.profiles.items() if key == profile)
    wired = wired_settings(version, found)
    settings = {key: change for key, change in SETTINGS.items() if key in wired}
    return {**EVERYWHERE, **MEDIA.get(name, CONTROLLED), **settings}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", WORKFLOW_NAMES)
async def test_every_change_shows_and_repeating_shows_nothing(
    server: Server, tmp_path: Path, name: str, profile: str
) -> None:
    if server.kind == "simulator" and (name, profile) not in QUICK:
        pytest.skip("a simulator knows no profiles: one of each family is enough")
    asked: dict[str, Any] = {"quality_profile": profile}
    base = planned(request_for(name, **asked), assets=OTHERS)
    if missing := await missing_files(server, base):
        pytest.skip(f"this server lacks {', '.join(missing)}")
    first = (await run(server, base, tmp_path)).frames
    await server.http.post("/free", json={"unload_models": True, "free_memory": True})
    again = (await run(server, base, tmp_path)).frames
    within = await repeats_within(server)
    assert apart(first, again) <= within
    dead = []
    for change, fields in changes_of(name, profile).items():
        request: JobRequest = request_for(name, **asked, **fields)
        changed = await run(server, planned(request, assets=OTHERS), tmp_path)
        if apart(first, changed.frames) <= 2 * within:
            dead.append(change)
    assert dead == []


QUICK = {("wan22_animate_mix", "standard"), ("wan22_s2v", "standard"), ("wan22_fun_inp", "draft")}
