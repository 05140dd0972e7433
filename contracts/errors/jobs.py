"""What cannot be done with a job, a dead letter or a workflow version as it stands.

Owns the sentences of such refusals, and that of a cancelled job. Must not decide anything.
"""

from __future__ import annotations

from contracts.errors.entries import Entries, entry
from contracts.errors.entries import ErrorCode as Code

JOBS: Entries = {
    Code.JOB_NOT_FINISHED: entry(
        "invalid_request",
        409,
        "The job is still running.",
        "Wait for its end, or cancel it first.",
    ),
    Code.JOB_NOT_RETRYABLE: entry(
        "invalid_request",
        409,
        "Only a failed job can be run again.",
        "Submit a new job instead.",
    ),
    Code.WORKFLOW_VERSION_UNFIT: entry(
        "invalid_request",
        422,
        "This workflow version cannot make the job.",
        "Choose another version, or submit the request anew.",
    ),
    Code.DEAD_LETTER_SETTLED: entry(
        "invalid_request",
        409,
        "Nothing can be done about this dead letter any more.",
        "Look at its state.",
    ),
    Code.WORKFLOW_UNFIT: entry(
        "unavailable",
        409,
        "This workflow version cannot take the place of the active one here.",
        "Add what is missing to a generator, or force it and answer for it.",
    ),
    Code.ROLLBACK_IMPOSSIBLE: entry(
        "invalid_request",
        409,
        "There is no earlier version to return to.",
        "Activate the version that you want.",
    ),
    Code.CANCELLED: entry(
        "cancelled", 200, "The job was cancelled.", "Submit it again if you want it."
    ),
}
