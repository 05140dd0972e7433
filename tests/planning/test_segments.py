"""Long videos: how many segments, what each graph is told, what is carried from one to the next."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.binding import BoundGraph, bind
from planning.requests import JobRequest
from planning.segments import length_of
from tests.planning.examples import (
    WORKFLOWS,
    animate,
    audio_asset,
    audio_performance,
    bindable,
    planned,
    video_asset,
)

MIX: dict[str, Any] = {"animate_submode": "mix"}


def _stage(made: JobPlan) -> ComfyWorkflowStage:
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    return stage


def _long(request: JobRequest, seconds: float) -> list[BoundGraph]:
    made = planned(request, video_asset(2, seconds), audio_asset(3, seconds))
    version, stage, prepared = bindable(made)
    return [bind(version, stage, segment, prepared) for segment in stage.segments]


@pytest.mark.parametrize("segments", range(1, 9))
def test_animate_makes_77_frames_and_72_more_with_each_segment(segments: int) -> None:
    made = planned(animate(extension_segments=segments - 1), video_asset(2, 60.0))
    assert made.delivery.frames == 77 + 72 * (segments - 1)
    assert [s.frames for s in _stage(made).segments] == [77] + [72] * (segments - 1)
    assert made.settings["segments"] == segments


@pytest.mark.parametrize("segments", range(1, 9))
def test_audio_performance_makes_80_n_less_2_frames(segments: int) -> None:
    made = planned(audio_performance(extension_segments=segments - 1), audio_asset(3, 60.0))
    assert made.delivery.frames == 80 * segments - 2
    assert [s.frames for s in _stage(made).segments] == [78] + [80] * (segments - 1)
    assert any("lasts 60.0 s" in note for note in made.notes)


def test_the_number_of_segments_follows_from_the_source() -> None:
    for seconds, segments in ((3.0, 1), (4.9, 1), (6.0, 2), (12.0, 3)):
        made = planned(animate(), video_asset(2, seconds))
        assert len(_stage(made).segments) == segments
        assert seconds - made.delivery.duration_s < 4 / 16 + 0.1
    for seconds, segments in ((3.0, 1), (4.9, 2), (12.0, 3), (39.8, 8)):
        made = planned(audio_performance(), audio_asset(3, seconds))
        assert len(_stage(made).segments) == segments
        assert 0 <= made.delivery.duration_s - seconds < 4 / 16 + 0.1


def test_segments_allow_more_than_the_source_needs_but_never_make_more() -> None:
    made = planned(animate(extension_segments=7), video_asset(2, 6.0))
    assert len(_stage(made).segments) == 2


def test_a_short_rest_is_taken_together_with_frames_of_the_segment_before() -> None:
    made = planned(animate(duration_override_seconds=81 / 16), video_asset(2, 60.0))
    rule = WORKFLOWS.pinned(_stage(made).workflow).manifest.frames
    assert made.delivery.frames == 81
    assert [length_of(s, rule) for s in _stage(made).segments] == [65, 21]


def test_only_segments_that_another_goes_on_from_save_a_checkpoint() -> None:
    for request in (animate(), animate(**MIX), audio_performance()):
        bound = _long(request, 15.0)
        saved = [[o.name for o in b.outputs if o.media == "latent"] for b in bound]
        assert saved == [["checkpoint"]] * (len(bound) - 1) + [[]]
        assert [set(b.checkpoints) for b in bound] == [set()] + [{"checkpoint"}] * (len(bound) - 1)
        alone = _long(request, 3.0)[0]
        assert "SaveLatent" not in {n["class_type"] for n in alone.graph.values()}


def test_further_segments_save_their_frames_and_the_five_before() -> None:
    for request in (animate(), animate(**MIX), audio_performance()):
        first, *further = _long(request, 15.0)
        assert "overlap" not in {o.name for o in first.outputs}
        for bound in further:
            assert {o.name: o.frames for o in bound.outputs}["overlap"] == 5


def test_move_reads_only_the_part_of_the_video_that_it_follows() -> None:
    told = [b.graph["motion_window"]["inputs"] for b in _long(animate(), 14.0)[1:]]
    assert [(t["batch_index"], t["length"]) for t in told] == [(72, 77), (144, 77)]
    for bound in _long(animate(), 14.0)[1:]:
        assert bound.graph["animation"]["inputs"]["video_frame_offset"] == 5


def test_mix_reads_the_video_from_its_start_because_the_mask_is_followed_from_there() -> None:
    bound = _long(animate(**MIX), 14.0)[1:]
    window = [b.graph["motion_window"]["inputs"] for b in bound]
    assert [(t["batch_index"], t["length"]) for t in window] == [(0, 149), (0, 221)]
    offsets = [b.graph["animation"]["inputs"]["video_frame_offset"] for b in bound]
    assert offsets == [77, 149]


def test_audio_performance_keeps_forty_latents_and_stands_in_for_the_others() -> None:
    bound = _long(audio_performance(), 24.0)
    told = [b.graph for b in bound[1:]]
    assert [g["history"]["inputs"]["amount"] for g in told] == [20, 40, 60, 80]
    # one empty latent more than is missing, cut off again
    assert [g["missing_latent"]["inputs"]["length"] for g in told] == [1, 1, 81, 161]
    assert [g["decoded_latents"]["inputs"]["index"] for g in told] == [0, 0, 1, 1]
    assert [g["frames"]["inputs"]["batch_index"] for g in told] == [81, 161, 157, 157]
    assert [g["overlap_frames"]["inputs"]["batch_index"] for g in told] == [76, 156, 152, 152]


def test_every_segment_has_noise_of_its_own() -> None:
    seeds = [b.graph["sampler"]["inputs"]["seed"] for b in _long(animate(seed=100), 15.0)]
    assert seeds == [100, 101, 102, 103]
    last = _long(animate(seed=2**53 - 1), 6.0)
    assert [b.graph["sampler"]["inputs"]["seed"] for b in last] == [2**53 - 1, 0]
