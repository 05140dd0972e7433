"""One short request for every workflow and profile."""

from __future__ import annotations

from typing import Any

from contracts.plan import QualityProfile
from planning.requests import JobRequest
from tests.planning.examples import (
    IMAGE,
    SECOND_IMAGE,
    animate,
    audio_performance,
    pose_control,
    pose_sheet,
    start_end,
)

SHORT_S = 0.6
PROFILES: tuple[QualityProfile, ...] = ("draft", "standard", "high")
WORKFLOW_NAMES = (
    "wan22_animate_move",
    "wan22_animate_mix",
    "wan22_s2v",
    "wan22_fun_inp",
    "wan22_fun_control_pose",
    "wan22_fun_control_canny",
    "wan22_fun_control_depth",
    "wan22_fun_control_pose_sheet",
)


def request_for(name: str, **changes: Any) -> JobRequest:
    """A request that the workflow makes, of about nine frames, with changes."""
    asked = {"duration_override_seconds": SHORT_S, **changes}
    match name.removeprefix("wan22_"):
        case "animate_move":
            return animate(**asked)
        case "animate_mix":
            return animate(**{"animate_submode": "mix", **asked})
        case "s2v":
            return audio_performance(**asked)
        case "fun_inp":
            return start_end(**asked)
        case "fun_control_pose_sheet":
            sheets = asked.pop("pose_sheet_asset_ids", (IMAGE, SECOND_IMAGE))
            return pose_sheet(*sheets, **asked)
        case control:
            return pose_control(**{"control_kind": control.rpartition("_")[2], **asked})
