"""What is wrong with a job that somebody asks for: its words, files, settings, mode and chain.

Owns the sentences that a refusal at submit is told in. Must not decide anything.
"""

from __future__ import annotations

from contracts.errors.entries import Entries, entry
from contracts.errors.entries import ErrorCode as Code

REQUESTS: Entries = {
    Code.PROMPT_MISSING: entry(
        "invalid_request", 422, "There is no prompt.", "Describe in a few words what should happen."
    ),
    Code.PROMPT_TOO_LONG: entry(
        "invalid_request", 422, "The prompt is too long.", "Shorten it to 2,000 characters or less."
    ),
    Code.NEGATIVE_PROMPT_UNUSED: entry(
        "invalid_request",
        422,
        "A negative prompt has no effect with this quality profile.",
        "Remove it, or choose a profile that uses it.",
    ),
    Code.GROUND_TRUTH_MISSING: entry(
        "missing_asset",
        422,
        "The character image is missing.",
        "Attach the image of the character as ground truth.",
    ),
    Code.MOTION_VIDEO_MISSING: entry(
        "missing_asset",
        422,
        "The motion video is missing.",
        "Attach the video whose motion should be used.",
    ),
    Code.AUDIO_MISSING: entry(
        "missing_asset", 422, "The audio is missing.", "Attach the speech or song to perform."
    ),
    Code.FRAME_MISSING: entry(
        "missing_asset",
        422,
        "There is neither a first nor a last frame.",
        "Attach an image as start frame, as end frame, or one for each.",
    ),
    Code.CONTROL_MISSING: entry(
        "missing_asset",
        422,
        "There is nothing to control the movement with.",
        "Attach a control video, or pose sheets.",
    ),
    Code.ASSET_UNKNOWN: entry(
        "missing_asset",
        422,
        "An attached file is not known here.",
        "Upload it again and use the new asset id.",
    ),
    Code.ASSET_CHECKING: entry(
        "missing_asset",
        409,
        "An attached file is still being checked.",
        "Wait a moment and send the job again.",
        True,
    ),
    Code.ASSET_REJECTED: entry(
        "invalid_asset_format",
        422,
        "An attached file cannot be used.",
        "Replace it; its own message says what was wrong.",
    ),
    Code.ASSET_WRONG_KIND: entry(
        "invalid_asset_format",
        422,
        "An attached file is of the wrong kind for its place.",
        "Use an image, a video or an audio file where each is asked for.",
    ),
    Code.ASSET_UNUSED_IN_MODE: entry(
        "invalid_request",
        422,
        "An attached file has no use in this mode.",
        "Remove it, or choose the mode that uses it.",
    ),
    Code.TOO_MANY_ASSETS: entry(
        "invalid_request", 422, "Too many files are attached.", "Remove some of them."
    ),
    Code.IMAGE_TOO_SMALL: entry(
        "invalid_asset_format",
        422,
        "The image is too small.",
        "Use an image of at least 64 pixels on each side.",
    ),
    Code.IMAGE_ASPECT_EXTREME: entry(
        "invalid_asset_format",
        422,
        "The image is too narrow.",
        "Use an image whose longer side is at most four times the shorter one.",
    ),
    Code.CROP_OUTSIDE_IMAGE: entry(
        "invalid_request",
        422,
        "The crop lies outside the image.",
        "Choose a rectangle inside the image.",
    ),
    Code.VIDEO_TOO_SHORT: entry(
        "invalid_asset_format",
        422,
        "The motion video is too short.",
        "Use a video of at least half a second.",
    ),
    Code.AUDIO_TOO_SHORT: entry(
        "invalid_asset_format",
        422,
        "The audio is too short.",
        "Use audio of at least half a second.",
    ),
    Code.AUDIO_TOO_LONG: entry(
        "invalid_request",
        422,
        "The audio is longer than this profile allows.",
        "Shorten it, or set a target duration.",
    ),
    Code.DURATION_TOO_LONG: entry(
        "invalid_request",
        422,
        "The target duration is longer than can be made.",
        "Choose a shorter duration.",
    ),
    Code.DURATION_TOO_SHORT: entry(
        "invalid_request", 422, "The target duration is too short.", "Choose a longer duration."
    ),
    Code.SETTINGS_CONFLICT: entry(
        "invalid_request",
        422,
        "Two settings contradict each other.",
        "Change one of them.",
    ),
    Code.SETTING_UNAVAILABLE: entry(
        "invalid_request",
        422,
        "A setting is not available in this mode and profile.",
        "Leave it out.",
    ),
    Code.ASPECT_RATIO_UNSUPPORTED: entry(
        "unsupported_aspect_ratio",
        422,
        "This aspect ratio is not available.",
        "Choose 9:16, 16:9 or 1:1.",
    ),
    Code.PROFILE_UNAVAILABLE: entry(
        "unavailable",
        422,
        "This quality profile is not available here.",
        "Choose another quality profile.",
    ),
    Code.MODE_UNAVAILABLE: entry(
        "unavailable",
        422,
        "This mode is not available here.",
        "Choose another mode, or ask your operator to add what is missing.",
    ),
    Code.CHAIN_ILLEGAL: entry(
        "invalid_request",
        422,
        "These stages do not make a chain.",
        "Put the stages in another order.",
    ),
    Code.CAPABILITY_MISSING: entry(
        "unavailable",
        422,
        "A stage of this chain cannot run here.",
        "Choose stages that are available, or ask your operator to add what is missing.",
    ),
    Code.PROMPT_PACK_UNKNOWN: entry(
        "invalid_request",
        422,
        "There is no such prompt pack.",
        "Choose one of those that GET /api/prompt-packs lists.",
    ),
}
