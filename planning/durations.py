"""How many frames a job makes: from its source, its target duration and its extension segments.

Every refusal says what is possible instead. Must not know how frames become segments.
"""

from __future__ import annotations

from contracts.errors import ErrorCode
from contracts.media import AudioFacts, VideoFacts
from planning.segments import (
    deliverable_at_least,
    deliverable_at_most,
    deliverable_nearest,
    frames_covering,
    frames_within,
)
from planning.worksheet import MIN_SOURCE_S, Worksheet

SILENCE_WORTH_A_NOTE_FRAMES = 4


def frames_of_video(sheet: Worksheet, facts: VideoFacts, at: str) -> int | None:
    """Frames to make: the video's, or the asked duration's, never more than the video holds.

    Beyond its end the engine would hold the last pose, so a longer target is refused. `at` is the
    field that names the video.
    """
    rule = sheet.version.manifest.frames
    longest = sheet.longest_frames()
    held = deliverable_at_most(min(frames_within(facts.duration_s, rule.fps), longest), rule)
    if held is None or facts.duration_s < MIN_SOURCE_S:
        sheet.refuse(ErrorCode.VIDEO_TOO_SHORT, at)
        return None
    asked_s = sheet.request.duration_override_seconds
    if asked_s is None:
        if facts.duration_s > longest / rule.fps:
            sheet.notes.append(
                f"The first {held / rule.fps:.1f} s of the video are used; "
                f"it lasts {facts.duration_s:.1f} s."
            )
        return held
    longest_s = min(longest / rule.fps, facts.duration_s)
    if asked_s > longest_s:
        whose = "the video" if facts.duration_s < longest / rule.fps else "a video here"
        _refuse_too_long(
            sheet, f"The target duration is longer than {whose} can be: {longest_s:.1f} s."
        )
        return None
    if _is_too_short(sheet, asked_s):
        return None
    return min(held, deliverable_nearest(round(asked_s * rule.fps), rule))


def frames_of_audio(sheet: Worksheet, facts: AudioFacts) -> int | None:
    """Frames to make: enough for all of the sound, or the asked duration or segments."""
    rule = sheet.version.manifest.frames
    longest = sheet.longest_frames()
    if facts.duration_s < MIN_SOURCE_S:
        sheet.refuse(ErrorCode.AUDIO_TOO_SHORT, "audio_asset_id")
        return None
    asked_s = sheet.request.duration_override_seconds
    if asked_s is None:
        frames = deliverable_at_least(frames_covering(facts.duration_s, rule.fps), rule)
        if sheet.request.extension_segments is not None:
            frames = longest if frames is None else min(frames, longest)
        if frames is None:
            sheet.refuse(
                ErrorCode.AUDIO_TOO_LONG,
                "audio_asset_id",
                sentence=f"The audio lasts {facts.duration_s:.1f} s; "
                f"this profile makes at most {rule.duration_max_s:.1f} s.",
                remedy="Shorten it, or set a target duration to use its beginning.",
            )
            return None
    else:
        if asked_s > longest / rule.fps:
            _refuse_too_long(
                sheet, f"The target duration is longer than {longest / rule.fps:.1f} s."
            )
            return None
        if _is_too_short(sheet, asked_s):
            return None
        frames = deliverable_nearest(round(asked_s * rule.fps), rule)
    _note_unmatched_sound(sheet, facts.duration_s, frames)
    return frames


def frames_without_source(sheet: Worksheet) -> int | None:
    """Frames to make where nothing given has a duration: the asked one's, else the longest."""
    rule = sheet.version.manifest.frames
    longest = sheet.longest_frames()
    asked_s = sheet.request.duration_override_seconds
    if asked_s is None:
        return longest
    if asked_s > longest / rule.fps:
        _refuse_too_long(sheet, f"The target duration is longer than {longest / rule.fps:.1f} s.")
        return None
    if _is_too_short(sheet, asked_s):
        return None
    return deliverable_nearest(round(asked_s * rule.fps), rule)


def _note_unmatched_sound(sheet: Worksheet, sound_s: float, frames: int) -> None:
    fps = sheet.version.manifest.frames.fps
    made_s = frames / fps
    if made_s < sound_s:
        sheet.notes.append(
            f"The first {made_s:.1f} s of the audio are used; it lasts {sound_s:.1f} s."
        )
    elif made_s - sound_s > SILENCE_WORTH_A_NOTE_FRAMES / fps:
        sheet.notes.append(f"The audio ends after {sound_s:.1f} s; the rest is silent.")


def _refuse_too_long(sheet: Worksheet, sentence: str) -> None:
    if sheet.request.extension_segments is not None:
        remedy = "Choose a shorter one, or allow more extension segments."
    else:
        remedy = "Choose a shorter one."
    sheet.refuse(ErrorCode.DURATION_TOO_LONG, "duration_override_seconds", sentence, remedy)


def _is_too_short(sheet: Worksheet, asked_s: float) -> bool:
    if asked_s >= MIN_SOURCE_S:
        return False
    sheet.refuse(
        ErrorCode.DURATION_TOO_SHORT,
        "duration_override_seconds",
        remedy=f"Choose at least {MIN_SOURCE_S} s.",
    )
    return True
