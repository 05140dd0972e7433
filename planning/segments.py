"""Frame counts: from a duration to a number of frames, and to the segments that make them.

A graph takes lengths of 4 k + 1 and delivers a constant more (planning.workflow.FrameRule). Must
not know media or modes.
"""

from __future__ import annotations

import math

from contracts.stages import Segment
from planning.workflow import FrameRule

LENGTH_STEP = 4
_SLACK = 1e-6


def frames_within(duration_s: float, fps: int) -> int:
    """Whole frames that a duration holds."""
    return math.floor(duration_s * fps + _SLACK)


def frames_covering(duration_s: float, fps: int) -> int:
    """The fewest whole frames that last at least the duration."""
    return math.ceil(duration_s * fps - _SLACK)


def deliverable_at_most(frames: int, rule: FrameRule) -> int | None:
    """The most frames a graph can deliver that are not more than `frames`; None when none are."""
    if frames < rule.frames_min:
        return None
    capped = min(frames, rule.frames_max)
    return capped - (capped - rule.frames_min) % LENGTH_STEP


def deliverable_at_least(frames: int, rule: FrameRule) -> int | None:
    """The fewest frames a graph can deliver that are not less than `frames`; None when none are."""
    if frames > rule.frames_max:
        return None
    raised = max(frames, rule.frames_min)
    return raised + (rule.frames_max - raised) % LENGTH_STEP


def deliverable_nearest(frames: int, rule: FrameRule) -> int:
    """The deliverable number of frames closest to `frames`; of two, the smaller."""
    below = deliverable_at_most(frames, rule)
    above = deliverable_at_least(frames, rule)
    if below is None:
        return rule.frames_min
    if above is None:
        return rule.frames_max
    return below if frames - below <= above - frames else above


def segments_of(frames: int, rule: FrameRule) -> tuple[Segment, ...]:
    """The segments of a video: each as long as it may be, the last takes what is left.

    A last one that would be too short to go on well takes frames from the one before. Raises
    ValueError for a number of frames that no segments of this rule deliver.
    """
    further = rule.continuation
    most = rule.length_max + rule.frames_beyond_length
    takes = [min(frames, most)]
    if further is not None:
        step = rule.length_max + further.frames_beyond_length
        while (left := frames - sum(takes)) > 0:
            takes.append(min(left, step))
        least = further.length_min + further.frames_beyond_length
        if len(takes) > 1 and (short := least - takes[-1]) > 0:
            takes[-2:] = [takes[-2] - short, least]
    if sum(takes) != frames or len(takes) > rule.segments_max:
        raise ValueError(f"no segments deliver {frames} frames")
    segments = tuple(
        Segment(index=n, first_frame=sum(takes[:n]), frames=take) for n, take in enumerate(takes)
    )
    for segment in segments:
        length_of(segment, rule)
    return segments


def length_of(segment: Segment, rule: FrameRule) -> int:
    """The length that the graph of a segment is given so that it delivers the segment's frames.

    Raises ValueError for a number of frames that no graph of this rule delivers.
    """
    least, beyond = rule.length_min, rule.frames_beyond_length
    if segment.index > 0:
        if rule.continuation is None:
            raise ValueError("this workflow makes one segment")
        least, beyond = rule.continuation.length_min, rule.continuation.frames_beyond_length
    length = segment.frames - beyond
    if not least <= length <= rule.length_max or length % LENGTH_STEP != 1:
        raise ValueError(f"no length delivers {segment.frames} frames")
    return length


def segment_values(segment: Segment, rule: FrameRule) -> dict[str, int]:
    """What a graph may be told about its segment, by the names that bindings use.

    `length`; for a further segment also `frames_before` it, `frames_until` its end, and
    `window_start` (`frames_before` less the overlap: the source frames that it needs begin here).
    Raises ValueError as `length_of` does.
    """
    values = {"length": length_of(segment, rule)}
    further = rule.continuation
    if segment.index == 0 or further is None:
        return values
    values |= {
        "frames_before": segment.first_frame,
        "frames_until": segment.first_frame + segment.frames,
        "window_start": segment.first_frame - further.overlap_frames,
    }
    if further.history_latents is not None:
        values |= _latent_values(segment.first_frame, rule, further.history_latents)
    return values


def _latent_values(first_frame: int, rule: FrameRule, kept: int) -> dict[str, int]:
    """Where the latents before a segment lie. The checkpoint holds the last `kept` of them.

    `history_latents` are all that were made; those not carried are stood in for by empty ones, so
    that the engine places the sound rightly. One more empty latent than missing is made, and cut
    off again, because none cannot be asked for. Decoding starts with the first latent doubled
    while the checkpoint reaches back to it (`decode_from` 0), as a video decoded whole does, and
    else within the history (1); `decoded_before` frames are then not the segment's own. Source:
    facts on segments, "S2V".
    """
    made = (first_frame - rule.frames_beyond_length - 1) // LENGTH_STEP + 1
    carried = min(made, kept)
    whole = carried == made
    decoded_before = LENGTH_STEP * (carried if whole else carried - 1) + 1
    overlap = rule.continuation.overlap_frames if rule.continuation else 0
    return {
        "history_latents": made,
        "missing_length": LENGTH_STEP * (made - carried) + 1,
        "decode_from": 0 if whole else 1,
        "decoded_before": decoded_before,
        "overlap_from": decoded_before - overlap,
    }
