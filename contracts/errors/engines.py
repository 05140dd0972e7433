"""How a generator fails a job: binding, handing over, running, losing it.

Owns the sentences of jobs that failed before there was a result. Must not decide anything.
"""

from __future__ import annotations

from contracts.errors.entries import Entries, entry
from contracts.errors.entries import ErrorCode as Code

ENGINES: Entries = {
    Code.WORKFLOW_BINDING_FAILED: entry(
        "workflow_binding_failure",
        500,
        "The video could not be set up.",
        "Ask your operator; the job can be run again once this is mended.",
        True,
    ),
    Code.ENGINE_UPLOAD_FAILED: entry(
        "engine_upload_failure",
        502,
        "Your files could not be handed to the generator.",
        "Run the job again.",
        True,
    ),
    Code.ENGINE_REFUSED: entry(
        "engine_queue_failure",
        502,
        "The generator refused this job.",
        "Ask your operator; the generator may lack something that this mode needs.",
        True,
    ),
    Code.ENGINE_FAILED: entry(
        "engine_queue_failure",
        502,
        "The generator failed while making the video.",
        "Run the job again; if it fails again, try other media.",
        True,
    ),
    Code.ENGINE_OUT_OF_MEMORY: entry(
        "engine_out_of_memory",
        502,
        "The generator ran out of memory.",
        "Choose a lower quality profile or a shorter duration.",
        True,
    ),
    Code.ENGINE_LOST: entry(
        "engine_lost",
        502,
        "The generator was lost while making the video.",
        "Run the job again.",
        True,
    ),
    Code.ENGINE_LACKS_PART: entry(
        "unavailable",
        502,
        "The generator lacks something that this job needs.",
        "Ask your operator to install it, or make the video another way.",
        True,
    ),
    Code.ENGINE_POISONED: entry(
        "engine_queue_failure",
        502,
        "The generator is in a broken state that an earlier animation left behind.",
        "Run the job again; if it fails again, ask your operator to restart the generator.",
        True,
    ),
    Code.GENERATION_TIMEOUT: entry(
        "generation_timeout",
        504,
        "Making the video took too long.",
        "Run the job again, or choose a shorter duration.",
        True,
    ),
    Code.GENERATION_STALLED: entry(
        "generation_timeout",
        504,
        "The generator stopped moving while making the video.",
        "Run the job again; if it stops again, ask your operator.",
        True,
    ),
}
