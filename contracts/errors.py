"""The one catalogue of errors: code, failure class, what the user reads and what he can do.

The exact cause goes to operators in `detail`; it is never shown to users. Must not raise anything.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

from contracts.base import Contract

FailureClass = Literal[
    "missing_asset",
    "invalid_asset_format",
    "unsupported_aspect_ratio",
    "workflow_binding_failure",
    "engine_upload_failure",
    "engine_queue_failure",
    "generation_timeout",
    "result_collection_failure",
    "engine_out_of_memory",
    "engine_lost",
    "cancelled",
    "invalid_request",
    "unavailable",
    "internal",
]
"""The classes of SRS §23, with those the design adds."""


class ErrorCode(StrEnum):
    """Every error a user can meet."""

    PROMPT_MISSING = "prompt_missing"
    PROMPT_TOO_LONG = "prompt_too_long"
    NEGATIVE_PROMPT_UNUSED = "negative_prompt_unused"
    GROUND_TRUTH_MISSING = "ground_truth_missing"
    MOTION_VIDEO_MISSING = "motion_video_missing"
    AUDIO_MISSING = "audio_missing"
    FRAME_MISSING = "frame_missing"
    CONTROL_MISSING = "control_missing"
    ASSET_UNKNOWN = "asset_unknown"
    ASSET_CHECKING = "asset_checking"
    ASSET_REJECTED = "asset_rejected"
    ASSET_WRONG_KIND = "asset_wrong_kind"
    ASSET_UNUSED_IN_MODE = "asset_unused_in_mode"
    TOO_MANY_ASSETS = "too_many_assets"
    IMAGE_TOO_SMALL = "image_too_small"
    IMAGE_ASPECT_EXTREME = "image_aspect_extreme"
    CROP_OUTSIDE_IMAGE = "crop_outside_image"
    VIDEO_TOO_SHORT = "video_too_short"
    AUDIO_TOO_SHORT = "audio_too_short"
    AUDIO_TOO_LONG = "audio_too_long"
    DURATION_TOO_LONG = "duration_too_long"
    DURATION_TOO_SHORT = "duration_too_short"
    SETTINGS_CONFLICT = "settings_conflict"
    SETTING_UNAVAILABLE = "setting_unavailable"
    ASPECT_RATIO_UNSUPPORTED = "aspect_ratio_unsupported"
    PROFILE_UNAVAILABLE = "profile_unavailable"
    MODE_UNAVAILABLE = "mode_unavailable"
    CHAIN_ILLEGAL = "chain_illegal"
    CAPABILITY_MISSING = "capability_missing"
    PROMPT_PACK_UNKNOWN = "prompt_pack_unknown"
    FILE_MISSING = "file_missing"
    FILE_EMPTY = "file_empty"
    FILE_TOO_LARGE = "file_too_large"
    FILE_TYPE_UNSUPPORTED = "file_type_unsupported"
    FILE_CONTENT_MISMATCH = "file_content_mismatch"
    FILE_UNDECODABLE = "file_undecodable"
    FILE_TOO_MANY_PIXELS = "file_too_many_pixels"
    FILE_TOO_LONG = "file_too_long"
    FILE_FORBIDDEN = "file_forbidden"
    UPLOAD_INCOMPLETE = "upload_incomplete"
    BODY_INVALID = "body_invalid"
    BODY_NOT_JSON = "body_not_json"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    RANGE_UNSATISFIABLE = "range_unsatisfiable"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    JOB_NOT_FINISHED = "job_not_finished"
    JOB_NOT_RETRYABLE = "job_not_retryable"
    DEAD_LETTER_SETTLED = "dead_letter_settled"
    WORKFLOW_VERSION_UNFIT = "workflow_version_unfit"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    FORBIDDEN_HOST = "forbidden_host"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    TOO_MANY_JOBS = "too_many_jobs"
    STORAGE_FULL = "storage_full"
    UNAVAILABLE = "unavailable"
    WORKFLOW_UNFIT = "workflow_unfit"
    ROLLBACK_IMPOSSIBLE = "rollback_impossible"
    WORKFLOW_BINDING_FAILED = "workflow_binding_failed"
    ENGINE_UPLOAD_FAILED = "engine_upload_failed"
    ENGINE_REFUSED = "engine_refused"
    ENGINE_FAILED = "engine_failed"
    ENGINE_OUT_OF_MEMORY = "engine_out_of_memory"
    ENGINE_LOST = "engine_lost"
    ENGINE_LACKS_PART = "engine_lacks_part"
    ENGINE_POISONED = "engine_poisoned"
    GENERATION_TIMEOUT = "generation_timeout"
    GENERATION_STALLED = "generation_stalled"
    NOT_ANIMATED = "not_animated"
    FRAMES_MISSING = "frames_missing"
    FRAMES_WITHHELD = "frames_withheld"
    RESULT_INVALID = "result_invalid"
    RESULT_MISSING = "result_missing"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class ErrorEntry(NamedTuple):
    """A line of the catalogue."""

    failure_class: FailureClass
    http_status: int
    retryable: bool
    sentence: str
    remedy: str


class ErrorInfo(Contract):
    """An error as it travels: what the user reads, and the exact cause for operators."""

    code: ErrorCode
    failure_class: FailureClass
    retryable: bool
    sentence: str
    remedy: str
    field: str | None = None
    detail: str | None = None


def _e(c: FailureClass, status: int, sentence: str, remedy: str, retry: bool = False) -> ErrorEntry:
    return ErrorEntry(c, status, retry, sentence, remedy)


_C = ErrorCode
CATALOGUE: dict[ErrorCode, ErrorEntry] = {
    _C.PROMPT_MISSING: _e(
        "invalid_request", 422, "There is no prompt.", "Describe in a few words what should happen."
    ),
    _C.PROMPT_TOO_LONG: _e(
        "invalid_request", 422, "The prompt is too long.", "Shorten it to 2,000 characters or less."
    ),
    _C.NEGATIVE_PROMPT_UNUSED: _e(
        "invalid_request",
        422,
        "A negative prompt has no effect with this quality profile.",
        "Remove it, or choose a profile that uses it.",
    ),
    _C.GROUND_TRUTH_MISSING: _e(
        "missing_asset",
        422,
        "The character image is missing.",
        "Attach the image of the character as ground truth.",
    ),
    _C.MOTION_VIDEO_MISSING: _e(
        "missing_asset",
        422,
        "The motion video is missing.",
        "Attach the video whose motion should be used.",
    ),
    _C.AUDIO_MISSING: _e(
        "missing_asset", 422, "The audio is missing.", "Attach the speech or song to perform."
    ),
    _C.FRAME_MISSING: _e(
        "missing_asset",
        422,
        "There is neither a first nor a last frame.",
        "Attach an image as start frame, as end frame, or one for each.",
    ),
    _C.CONTROL_MISSING: _e(
        "missing_asset",
        422,
        "There is nothing to control the movement with.",
        "Attach a control video, or pose sheets.",
    ),
    _C.ASSET_UNKNOWN: _e(
        "missing_asset",
        422,
        "An attached file is not known here.",
        "Upload it again and use the new asset id.",
    ),
    _C.ASSET_CHECKING: _e(
        "missing_asset",
        409,
        "An attached file is still being checked.",
        "Wait a moment and send the job again.",
        True,
    ),
    _C.ASSET_REJECTED: _e(
        "invalid_asset_format",
        422,
        "An attached file cannot be used.",
        "Replace it; its own message says what was wrong.",
    ),
    _C.ASSET_WRONG_KIND: _e(
        "invalid_asset_format",
        422,
        "An attached file is of the wrong kind for its place.",
        "Use an image, a video or an audio file where each is asked for.",
    ),
    _C.ASSET_UNUSED_IN_MODE: _e(
        "invalid_request",
        422,
        "An attached file has no use in this mode.",
        "Remove it, or choose the mode that uses it.",
    ),
    _C.TOO_MANY_ASSETS: _e(
        "invalid_request", 422, "Too many files are attached.", "Remove some of them."
    ),
    _C.IMAGE_TOO_SMALL: _e(
        "invalid_asset_format",
        422,
        "The image is too small.",
        "Use an image of at least 64 pixels on each side.",
    ),
    _C.IMAGE_ASPECT_EXTREME: _e(
        "invalid_asset_format",
        422,
        "The image is too narrow.",
        "Use an image whose longer side is at most four times the shorter one.",
    ),
    _C.CROP_OUTSIDE_IMAGE: _e(
        "invalid_request",
        422,
        "The crop lies outside the image.",
        "Choose a rectangle inside the image.",
    ),
    _C.VIDEO_TOO_SHORT: _e(
        "invalid_asset_format",
        422,
        "The motion video is too short.",
        "Use a video of at least half a second.",
    ),
    _C.AUDIO_TOO_SHORT: _e(
        "invalid_asset_format",
        422,
        "The audio is too short.",
        "Use audio of at least half a second.",
    ),
    _C.AUDIO_TOO_LONG: _e(
        "invalid_request",
        422,
        "The audio is longer than this profile allows.",
        "Shorten it, or set a target duration.",
    ),
    _C.DURATION_TOO_LONG: _e(
        "invalid_request",
        422,
        "The target duration is longer than can be made.",
        "Choose a shorter duration.",
    ),
    _C.DURATION_TOO_SHORT: _e(
        "invalid_request", 422, "The target duration is too short.", "Choose a longer duration."
    ),
    _C.SETTINGS_CONFLICT: _e(
        "invalid_request",
        422,
        "Two settings contradict each other.",
        "Change one of them.",
    ),
    _C.SETTING_UNAVAILABLE: _e(
        "invalid_request",
        422,
        "A setting is not available in this mode and profile.",
        "Leave it out.",
    ),
    _C.ASPECT_RATIO_UNSUPPORTED: _e(
        "unsupported_aspect_ratio",
        422,
        "This aspect ratio is not available.",
        "Choose 9:16, 16:9 or 1:1.",
    ),
    _C.PROFILE_UNAVAILABLE: _e(
        "unavailable",
        422,
        "This quality profile is not available here.",
        "Choose another quality profile.",
    ),
    _C.MODE_UNAVAILABLE: _e(
        "unavailable",
        422,
        "This mode is not available here.",
        "Choose another mode, or ask your operator to add what is missing.",
    ),
    _C.CHAIN_ILLEGAL: _e(
        "invalid_request",
        422,
        "These stages do not make a chain.",
        "Put the stages in another order.",
    ),
    _C.CAPABILITY_MISSING: _e(
        "unavailable",
        422,
        "A stage of this chain cannot run here.",
        "Choose stages that are available, or ask your operator to add what is missing.",
    ),
    _C.PROMPT_PACK_UNKNOWN: _e(
        "invalid_request",
        422,
        "There is no such prompt pack.",
        "Choose one of those that GET /api/prompt-packs lists.",
    ),
    _C.FILE_MISSING: _e(
        "missing_asset",
        422,
        "No file was sent.",
        "Send the file as the multipart field 'file'.",
    ),
    _C.FILE_EMPTY: _e(
        "invalid_asset_format", 422, "The file is empty.", "Choose a file with content."
    ),
    _C.FILE_TOO_LARGE: _e(
        "invalid_asset_format", 413, "The file is too large.", "Choose a smaller file."
    ),
    _C.FILE_TYPE_UNSUPPORTED: _e(
        "invalid_asset_format",
        415,
        "Files of this type cannot be used here.",
        "Use PNG, JPEG or WebP images, MP4, MOV or WebM videos, WAV, MP3, M4A, FLAC or OGG audio.",
    ),
    _C.FILE_CONTENT_MISMATCH: _e(
        "invalid_asset_format",
        415,
        "The file is not what its name says.",
        "Save it again in the format that its name says.",
    ),
    _C.FILE_UNDECODABLE: _e(
        "invalid_asset_format",
        422,
        "The file is damaged or incomplete.",
        "Export it again and upload the new file.",
    ),
    _C.FILE_TOO_MANY_PIXELS: _e(
        "invalid_asset_format",
        422,
        "The picture has too many pixels.",
        "Make it smaller, at most 40 megapixels for images and 4096 pixels a side for videos.",
    ),
    _C.FILE_TOO_LONG: _e(
        "invalid_asset_format", 422, "The file plays for too long.", "Cut it to a shorter piece."
    ),
    _C.FILE_FORBIDDEN: _e(
        "invalid_asset_format",
        415,
        "The file refers to other files or addresses and is refused.",
        "Upload the video or audio itself, not a playlist.",
    ),
    _C.UPLOAD_INCOMPLETE: _e(
        "invalid_asset_format", 400, "The upload broke off.", "Upload the file again.", True
    ),
    _C.BODY_INVALID: _e(
        "invalid_request", 422, "The request is not understood.", "Correct the named field."
    ),
    _C.BODY_NOT_JSON: _e(
        "invalid_request", 400, "The request is not valid JSON.", "Send a JSON object."
    ),
    _C.NOT_FOUND: _e("invalid_request", 404, "There is nothing here.", "Check the id."),
    _C.METHOD_NOT_ALLOWED: _e(
        "invalid_request", 405, "This cannot be done here.", "Use one of the allowed methods."
    ),
    _C.RANGE_UNSATISFIABLE: _e(
        "invalid_request",
        416,
        "The file has no such part.",
        "Ask for a range inside the file.",
    ),
    _C.IDEMPOTENCY_KEY_REUSED: _e(
        "invalid_request",
        422,
        "This Idempotency-Key was already used for another request.",
        "Use a new key for a new request.",
    ),
    _C.JOB_NOT_FINISHED: _e(
        "invalid_request",
        409,
        "The job is still running.",
        "Wait for its end, or cancel it first.",
    ),
    _C.JOB_NOT_RETRYABLE: _e(
        "invalid_request",
        409,
        "Only a failed job can be run again.",
        "Submit a new job instead.",
    ),
    _C.WORKFLOW_VERSION_UNFIT: _e(
        "invalid_request",
        422,
        "This workflow version cannot make the job.",
        "Choose another version, or submit the request anew.",
    ),
    _C.DEAD_LETTER_SETTLED: _e(
        "invalid_request",
        409,
        "Nothing can be done about this dead letter any more.",
        "Look at its state.",
    ),
    _C.UNAUTHORIZED: _e(
        "invalid_request", 401, "This needs a valid access token.", "Send it as a bearer token."
    ),
    _C.FORBIDDEN: _e(
        "invalid_request",
        403,
        "You may not do this here.",
        "Ask your operator for a key with the role that it needs.",
    ),
    _C.FORBIDDEN_HOST: _e(
        "invalid_request",
        403,
        "This address is not served here.",
        "Open the address that the system printed when it started.",
    ),
    _C.RATE_LIMITED: _e(
        "unavailable",
        429,
        "You are asking too often.",
        "Wait as long as the answer says, then go on more slowly.",
        True,
    ),
    _C.QUOTA_EXCEEDED: _e(
        "unavailable",
        429,
        "You have used up what you may upload in a day.",
        "Wait until the answer says there is room again, or ask your operator for more.",
        True,
    ),
    _C.TOO_MANY_JOBS: _e(
        "unavailable",
        429,
        "You have as many jobs going on as you may.",
        "Wait until one has ended, or cancel one that you no longer need.",
        True,
    ),
    _C.STORAGE_FULL: _e(
        "unavailable",
        507,
        "There is no room for more at the moment.",
        "Delete old videos, or try again later.",
        True,
    ),
    _C.UNAVAILABLE: _e(
        "unavailable",
        503,
        "Part of the system is not reachable at the moment.",
        "Try again in a minute.",
        True,
    ),
    _C.WORKFLOW_UNFIT: _e(
        "unavailable",
        409,
        "This workflow version cannot take the place of the active one here.",
        "Add what is missing to a generator, or force it and answer for it.",
    ),
    _C.ROLLBACK_IMPOSSIBLE: _e(
        "invalid_request",
        409,
        "There is no earlier version to return to.",
        "Activate the version that you want.",
    ),
    _C.WORKFLOW_BINDING_FAILED: _e(
        "workflow_binding_failure",
        500,
        "The video could not be set up.",
        "Ask your operator; the job can be run again once this is mended.",
        True,
    ),
    _C.ENGINE_UPLOAD_FAILED: _e(
        "engine_upload_failure",
        502,
        "Your files could not be handed to the generator.",
        "Run the job again.",
        True,
    ),
    _C.ENGINE_REFUSED: _e(
        "engine_queue_failure",
        502,
        "The generator refused this job.",
        "Ask your operator; the generator may lack something that this mode needs.",
        True,
    ),
    _C.ENGINE_FAILED: _e(
        "engine_queue_failure",
        502,
        "The generator failed while making the video.",
        "Run the job again; if it fails again, try other media.",
        True,
    ),
    _C.ENGINE_OUT_OF_MEMORY: _e(
        "engine_out_of_memory",
        502,
        "The generator ran out of memory.",
        "Choose a lower quality profile or a shorter duration.",
        True,
    ),
    _C.ENGINE_LOST: _e(
        "engine_lost",
        502,
        "The generator was lost while making the video.",
        "Run the job again.",
        True,
    ),
    _C.ENGINE_LACKS_PART: _e(
        "unavailable",
        502,
        "The generator lacks something that this job needs.",
        "Ask your operator to install it, or make the video another way.",
        True,
    ),
    _C.ENGINE_POISONED: _e(
        "engine_queue_failure",
        502,
        "The generator is in a broken state that an earlier animation left behind.",
        "Run the job again; if it fails again, ask your operator to restart the generator.",
        True,
    ),
    _C.GENERATION_STALLED: _e(
        "generation_timeout",
        504,
        "The generator stopped moving while making the video.",
        "Run the job again; if it stops again, ask your operator.",
        True,
    ),
    _C.NOT_ANIMATED: _e(
        "result_collection_failure",
        502,
        "The generator made a still picture instead of an animation.",
        "Run the job again; if it happens again, ask your operator.",
        True,
    ),
    _C.FRAMES_MISSING: _e(
        "result_collection_failure",
        502,
        "The generator did not deliver just the pictures that were asked for.",
        "Run the job again; if it happens again, ask your operator.",
        True,
    ),
    _C.FRAMES_WITHHELD: _e(
        "result_collection_failure",
        502,
        "The generator does not hand out the frames that it made.",
        "Ask your operator to let its output folder be read; then run the job again.",
        True,
    ),
    _C.GENERATION_TIMEOUT: _e(
        "generation_timeout",
        504,
        "Making the video took too long.",
        "Run the job again, or choose a shorter duration.",
        True,
    ),
    _C.RESULT_INVALID: _e(
        "result_collection_failure",
        502,
        "The generated video did not pass its checks.",
        "Run the job again.",
        True,
    ),
    _C.RESULT_MISSING: _e(
        "result_collection_failure",
        502,
        "The generator left no video.",
        "Run the job again.",
        True,
    ),
    _C.CANCELLED: _e("cancelled", 200, "The job was cancelled.", "Submit it again if you want it."),
    _C.INTERNAL: _e(
        "internal",
        500,
        "Something went wrong here.",
        "Try again; if it stays, tell your operator.",
        True,
    ),
}


def error_info(
    code: ErrorCode,
    *,
    sentence: str | None = None,
    remedy: str | None = None,
    field: str | None = None,
    detail: str | None = None,
) -> ErrorInfo:
    """An error of the catalogue; a more exact sentence or remedy may replace the general one.

    `field` names the request field at fault; `detail` is the exact cause, for operators only.
    """
    entry = CATALOGUE[code]
    return ErrorInfo(
        code=code,
        failure_class=entry.failure_class,
        retryable=entry.retryable,
        sentence=sentence or entry.sentence,
        remedy=remedy or entry.remedy,
        field=field,
        detail=detail[:4000] if detail else None,
    )
