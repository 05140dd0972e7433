"""Frame counts and sizes: properties that hold for every duration and every workflow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planning.segments import (
    deliverable_at_least,
    deliverable_at_most,
    deliverable_nearest,
    frames_covering,
    frames_within,
    length_of,
    segments_of,
)
from planning.sizes import SIZE_STEP_PX
from planning.workflow import Continuation, FrameRule
from tests.planning.examples import WORKFLOWS

CONTINUATIONS = st.none() | st.builds(
    Continuation,
    segments_max=st.integers(2, 9),
    length_min=st.sampled_from([9, 13, 21]),
    frames_beyond_length=st.sampled_from([-5, -1, 3]),
    overlap_frames=st.just(5),
    history_latents=st.none() | st.integers(20, 60),
)
RULES = st.builds(
    lambda low, more, beyond, further: FrameRule(
        fps=16,
        length_min=4 * low + 1,
        length_max=4 * (max(low, 10) + more) + 1,
        frames_beyond_length=beyond,
        continuation=further,
    ),
    st.integers(0, 4),
    st.integers(0, 30),
    st.integers(0, 3),
    CONTINUATIONS,
)
FRAMES = st.integers(0, 1500)


@given(FRAMES, RULES)
def test_what_is_deliverable_has_a_length_on_the_grid(frames: int, rule: FrameRule) -> None:
    below = deliverable_at_most(frames, rule)
    above = deliverable_at_least(frames, rule)
    for found in (below, above, deliverable_nearest(frames, rule)):
        if found is not None:
            for segment in segments_of(found, rule):
                length = length_of(segment, rule)
                assert length % 4 == 1
                assert length <= rule.length_max


@given(FRAMES, RULES)
def test_at_most_and_at_least_enclose_the_wish_closely(frames: int, rule: FrameRule) -> None:
    below = deliverable_at_most(frames, rule)
    above = deliverable_at_least(frames, rule)
    assert below is not None or frames < rule.frames_min
    assert above is not None or frames > rule.frames_max
    if below is not None:
        assert below <= frames
        assert frames - below < 4 or below == rule.frames_max
    if above is not None:
        assert above >= frames
        assert above - frames < 4 or above == rule.frames_min


@given(FRAMES, RULES)
def test_nearest_is_at_least_as_near_as_either_side(frames: int, rule: FrameRule) -> None:
    near = deliverable_nearest(frames, rule)
    for other in (deliverable_at_most(frames, rule), deliverable_at_least(frames, rule)):
        if other is not None:
            assert abs(near - frames) <= abs(other - frames)


@given(st.integers(1, 10_000), st.sampled_from([16, 24, 30]))
def test_a_duration_of_whole_frames_holds_exactly_them(frames: int, fps: int) -> None:
    assert frames_within(frames / fps, fps) == frames_covering(frames / fps, fps) == frames


@given(st.floats(0.01, 600))
def test_covering_is_within_or_one_more(duration_s: float) -> None:
    assert frames_covering(duration_s, 16) - frames_within(duration_s, 16) in (0, 1)


@given(FRAMES, RULES)
def test_segments_cover_every_frame_once_and_none_is_too_short(
    frames: int, rule: FrameRule
) -> None:
    deliverable = deliverable_at_most(frames, rule)
    if deliverable is None:
        return
    segments = segments_of(deliverable, rule)
    covered = [f for s in segments for f in range(s.first_frame, s.first_frame + s.frames)]
    assert covered == list(range(deliverable))
    assert len(segments) <= rule.segments_max
    for segment in segments[1:]:
        assert rule.continuation is not None
        assert length_of(segment, rule) >= rule.continuation.length_min


@given(st.integers(1, 12), RULES)
def test_full_segments_are_as_long_as_they_may_be(segments: int, rule: FrameRule) -> None:
    wanted = min(segments, rule.segments_max)
    made = segments_of(rule.frames_of(wanted), rule)
    assert len(made) == wanted
    assert {length_of(s, rule) for s in made} == {rule.length_max}


@pytest.mark.parametrize("frames", [4, 8, 78, 81])
def test_a_number_of_frames_off_the_grid_has_no_segments(frames: int) -> None:
    rule = FrameRule(fps=16, length_min=5, length_max=77, frames_beyond_length=0)
    with pytest.raises(ValueError, match="deliver"):
        segments_of(frames, rule)


def test_every_size_lies_on_the_grid_and_has_the_named_aspect() -> None:
    for version in WORKFLOWS.versions:
        for profile in version.manifest.profiles.values():
            for aspect, (width_px, height_px) in profile.sizes.items():
                across, down = (int(n) for n in aspect.split(":"))
                assert width_px % SIZE_STEP_PX == height_px % SIZE_STEP_PX == 0
                assert abs(width_px / height_px / (across / down) - 1) < 0.03


def test_better_profiles_are_never_smaller() -> None:
    for version in WORKFLOWS.versions:
        p = version.manifest.profiles
        for aspect in p["draft"].sizes:
            areas = [p[name].sizes[aspect] for name in ("draft", "standard", "high")]
            pixels = [w * h for w, h in areas]
            assert pixels == sorted(pixels)
