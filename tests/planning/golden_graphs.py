"""The bound graphs that are kept as golden files, one for every workflow and profile.

`python -m tests.planning.golden_graphs` writes those that are missing. A golden file is never
rewritten: a changed graph means a new workflow version.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from planning.assets import KnownAsset
from planning.binding import bind
from planning.requests import JobRequest
from tests.planning.examples import (
    IMAGE,
    SECOND_IMAGE,
    WORKFLOWS,
    animate,
    audio_asset,
    audio_performance,
    bindable,
    planned,
    pose_control,
    pose_sheet,
    start_end,
    video_asset,
)

FOLDER = Path(__file__).parent / "golden"
PROFILES = ("draft", "standard", "high")
FIRST = {"wan22_animate_move": "1.0.0", "wan22_animate_mix": "1.0.0", "wan22_s2v": "1.0.0"}


class Case(NamedTuple):
    """A request, the versions that are active for it, and which of its segments is bound."""

    request: JobRequest
    active: dict[str, str]
    segment: int = 0
    assets: tuple[KnownAsset, ...] = ()


def requests() -> dict[str, Case]:
    """Every golden file's name with what makes it."""
    asked: dict[str, JobRequest] = {}
    for profile in PROFILES:
        asked[f"move_{profile}"] = animate(quality_profile=profile)
        asked[f"mix_{profile}"] = animate(animate_submode="mix", quality_profile=profile)
        asked[f"s2v_{profile}"] = audio_performance(quality_profile=profile)
    asked["mix_standard_unlit"] = animate(animate_submode="mix", relighting=False)
    asked["s2v_standard_strict"] = audio_performance(audio_adherence_profile="strict")
    found = {name: Case(request, FIRST) for name, request in asked.items()}
    found |= {name: Case(request, {}) for name, request in _fun().items()}
    return found | _long()


def _long() -> dict[str, Case]:
    """Versions 1.1.0: a first segment, further ones, and the last, which saves no checkpoint."""
    assets = (video_asset(2, 40.0), audio_asset(3, 39.0))
    found: dict[str, Case] = {}
    for profile in PROFILES:
        asked: dict[str, JobRequest] = {
            "move": animate(quality_profile=profile),
            "mix": animate(animate_submode="mix", quality_profile=profile),
            "s2v": audio_performance(quality_profile=profile),
        }
        for name, request in asked.items():
            for segment in (0, 1, 4, 7) if profile == "standard" else (1,):
                active = dict.fromkeys(FIRST, "1.1.0")
                case = Case(request, active, segment, assets)
                found[f"{name}_long_{profile}_segment_{segment}"] = case
    return found


def _fun() -> dict[str, JobRequest]:
    asked: dict[str, JobRequest] = {}
    for profile in PROFILES:
        asked[f"fun_inp_{profile}"] = start_end(quality_profile=profile)
        for kind in ("pose", "canny", "depth"):
            asked[f"fun_control_{kind}_{profile}"] = pose_control(
                control_kind=kind, quality_profile=profile
            )
        asked[f"fun_control_pose_sheet_{profile}"] = pose_sheet(
            IMAGE, SECOND_IMAGE, IMAGE, quality_profile=profile
        )
    asked["fun_inp_first_frame"] = start_end(end_frame_asset_id=None)
    asked["fun_inp_last_frame"] = start_end(start_frame_asset_id=None)
    return asked


def bound(name: str) -> dict[str, Any]:
    """What binding makes of a golden request today, with the version it used."""
    case = requests()[name]
    made = planned(case.request, *case.assets, workflows=WORKFLOWS.with_active(case.active))
    version, stage, prepared = bindable(made)
    graph = bind(version, stage, stage.segments[case.segment], prepared).graph
    return {"workflow": version.ref.model_dump(), "graph": graph}


def text_of(content: dict[str, Any]) -> str:
    """The readable form of a golden file."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def path_of(name: str) -> Path:
    """Where a golden file lies."""
    return FOLDER / f"{name}.json"


if __name__ == "__main__":
    for missing in (n for n in requests() if not path_of(n).exists()):
        path_of(missing).write_text(text_of(bound(missing)))
        sys.stdout.write(f"wrote {missing} ({len(WORKFLOWS.versions)} versions released)\n")
