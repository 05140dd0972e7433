"""Start and end frame, and Pose control: what their requests become."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.media import VideoRecipe
from contracts.stages import ComfyWorkflowStage
from planning.binding import BindingFailed, bind
from planning.pose_control import SEQUENCE_NOTE, sequence_parameters
from planning.requests import JobRequest
from tests.planning.examples import (
    IMAGE,
    SECOND_IMAGE,
    SILENT,
    bindable,
    planned,
    pose_control,
    pose_sheet,
    start_end,
    video_asset,
)


def _graph(request: JobRequest) -> dict[str, Any]:
    version, stage, prepared = bindable(planned(request))
    return bind(version, stage, stage.segments[0], prepared).graph


@pytest.mark.parametrize("given", ["start", "end", "both"])
def test_only_the_frames_that_were_given_are_in_the_graph(given: str) -> None:
    gone = {"start": "end_frame_asset_id", "end": "start_frame_asset_id"}.get(given)
    graph = _graph(start_end(**({gone: None} if gone else {})))
    linked = {f"{name}_image" in graph["transition"]["inputs"] for name in ("start", "end")}
    for name in ("start", "end"):
        there = given in (name, "both")
        assert (f"{name}_frame" in graph) == there
        assert (f"{name}_image" in graph["transition"]["inputs"]) == there
    assert linked == ({True} if given == "both" else {True, False})


def test_a_start_end_video_is_as_long_as_the_workflow_makes_unless_asked_otherwise() -> None:
    assert planned(start_end()).delivery.frames == 81
    assert planned(start_end(duration_override_seconds=2.0)).delivery.frames == 33
    assert planned(start_end()).soundtrack is None


def test_the_second_model_takes_over_where_the_first_ends() -> None:
    for profile, steps, handover in (("draft", 4, 2), ("standard", 20, 10), ("high", 30, 15)):
        graph = _graph(start_end(quality_profile=profile))
        first, second = (graph[f"{n}_noise_sampler"]["inputs"] for n in ("high", "low"))
        assert first["steps"] == second["steps"] == steps
        assert first["end_at_step"] == second["start_at_step"] == handover


def test_a_control_video_gives_the_length_and_its_sound() -> None:
    made = planned(pose_control())
    assert (made.delivery.frames, made.soundtrack) == (45, "soundtrack")
    video = made.media[1].recipe
    assert isinstance(video, VideoRecipe)
    assert (video.frames, video.keep_audio) == (45, False)
    assert planned(pose_control(control_video_asset_id=SILENT)).soundtrack is None
    long = planned(pose_control(), video_asset(2, 20.0))
    assert long.delivery.frames == 81
    assert any("lasts 20.0 s" in note for note in long.notes)


@pytest.mark.parametrize(
    ("kind", "source"),
    [("pose", "control_pose"), ("canny", "control_edges"), ("depth", "control_frames")],
)
def test_a_control_video_is_read_as_asked(kind: str, source: str) -> None:
    graph = _graph(pose_control(control_kind=kind))
    assert graph["guidance"]["inputs"]["control_video"] == [source, 0]
    assert ("save_pose_preview" in graph) == (kind == "pose")


@pytest.mark.parametrize("sheets", range(1, 9))
def test_pose_sheets_are_held_for_equal_shares_that_fill_the_video(sheets: int) -> None:
    named = tuple((IMAGE, SECOND_IMAGE)[n % 2] for n in range(sheets))
    request = pose_sheet(*named, duration_override_seconds=3.0)
    graph = _graph(request)
    held = [node["inputs"]["amount"] for name, node in graph.items() if name.startswith("held_")]
    assert sum(held) == 49
    assert len(held) == sheets
    assert max(held) - min(held) <= 1
    joins = [name for name in graph if name.startswith("sequence_")]
    assert len(joins) == sheets - 1
    assert SEQUENCE_NOTE in planned(request).notes


def test_a_pose_sheet_sequence_is_labelled_for_what_it_is() -> None:
    made = planned(pose_sheet(IMAGE, SECOND_IMAGE))
    assert made.settings["control"] == "pose sheet sequence"
    assert "pose_sheet" not in made.settings
    assert [(u.role, u.index, u.used) for u in made.assets] == [
        ("ground_truth", 0, True),
        ("pose_sheet", 0, True),
        ("pose_sheet", 1, True),
    ]


def test_pose_sheets_beside_a_control_video_are_soft_guidance() -> None:
    made = planned(pose_control(pose_sheet_asset_ids=(IMAGE,)))
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    assert stage.workflow.name == "wan22_fun_control_pose"
    assert made.settings["pose_sheet"] == "soft guidance"


def test_a_sequence_without_its_first_picture_is_not_bound() -> None:
    version, stage, prepared = bindable(planned(pose_sheet(IMAGE)))
    bare = stage.model_copy(update={"media": stage.media[:1]})
    with pytest.raises(BindingFailed, match="media of stage"):
        bind(version, bare, bare.segments[0], prepared)


def test_shares_of_a_sequence_add_up() -> None:
    assert sequence_parameters(3, 81)["hold_1"] == 27
    assert sequence_parameters(3, 81)["pose_4"] is False
