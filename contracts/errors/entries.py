"""What an error of the catalogue is: its code, its failure class, and how one line is written.

Owns every code there is, each once. Must not hold a sentence: those lie with their group.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

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


Entries = Mapping[ErrorCode, ErrorEntry]


def entry(
    failure_class: FailureClass, status: int, sentence: str, remedy: str, retryable: bool = False
) -> ErrorEntry:
    """A line of the catalogue as its groups write it; `status` is what HTTP answers with."""
    return ErrorEntry(failure_class, status, retryable, sentence, remedy)
