"""How what a generator left does not become a video.

Owns the sentences of jobs that failed over their result. Must not decide anything.
"""

from __future__ import annotations

from contracts.errors.entries import Entries, entry
from contracts.errors.entries import ErrorCode as Code

RESULTS: Entries = {
    Code.NOT_ANIMATED: entry(
        "result_collection_failure",
        502,
        "The generator made a still picture instead of an animation.",
        "Run the job again; if it happens again, ask your operator.",
        True,
    ),
    Code.FRAMES_MISSING: entry(
        "result_collection_failure",
        502,
        "The generator did not deliver just the pictures that were asked for.",
        "Run the job again; if it happens again, ask your operator.",
        True,
    ),
    Code.FRAMES_WITHHELD: entry(
        "result_collection_failure",
        502,
        "The generator does not hand out the frames that it made.",
        "Ask your operator to let its output folder be read; then run the job again.",
        True,
    ),
    Code.RESULT_INVALID: entry(
        "result_collection_failure",
        502,
        "The generated video did not pass its checks.",
        "Run the job again.",
        True,
    ),
    Code.RESULT_MISSING: entry(
        "result_collection_failure",
        502,
        "The generator left no video.",
        "Run the job again.",
        True,
    ),
}
