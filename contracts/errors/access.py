"""What any request may meet, whatever it asks for: its form, keys, limits, a system in trouble.

Owns the sentences of requests that get no further. Must not decide anything.
"""

from __future__ import annotations

from contracts.errors.entries import Entries, entry
from contracts.errors.entries import ErrorCode as Code

ACCESS: Entries = {
    Code.BODY_INVALID: entry(
        "invalid_request", 422, "The request is not understood.", "Correct the named field."
    ),
    Code.BODY_NOT_JSON: entry(
        "invalid_request", 400, "The request is not valid JSON.", "Send a JSON object."
    ),
    Code.NOT_FOUND: entry("invalid_request", 404, "There is nothing here.", "Check the id."),
    Code.METHOD_NOT_ALLOWED: entry(
        "invalid_request", 405, "This cannot be done here.", "Use one of the allowed methods."
    ),
    Code.RANGE_UNSATISFIABLE: entry(
        "invalid_request",
        416,
        "The file has no such part.",
        "Ask for a range inside the file.",
    ),
    Code.IDEMPOTENCY_KEY_REUSED: entry(
        "invalid_request",
        422,
        "This Idempotency-Key was already used for another request.",
        "Use a new key for a new request.",
    ),
    Code.UNAUTHORIZED: entry(
        "invalid_request", 401, "This needs a valid access token.", "Send it as a bearer token."
    ),
    Code.FORBIDDEN: entry(
        "invalid_request",
        403,
        "You may not do this here.",
        "Ask your operator for a key with the role that it needs.",
    ),
    Code.FORBIDDEN_HOST: entry(
        "invalid_request",
        403,
        "This address is not served here.",
        "Open the address that the system printed when it started.",
    ),
    Code.RATE_LIMITED: entry(
        "unavailable",
        429,
        "You are asking too often.",
        "Wait as long as the answer says, then go on more slowly.",
        True,
    ),
    Code.QUOTA_EXCEEDED: entry(
        "unavailable",
        429,
        "You have used up what you may upload in a day.",
        "Wait until the answer says there is room again, or ask your operator for more.",
        True,
    ),
    Code.TOO_MANY_JOBS: entry(
        "unavailable",
        429,
        "You have as many jobs going on as you may.",
        "Wait until one has ended, or cancel one that you no longer need.",
        True,
    ),
    Code.STORAGE_FULL: entry(
        "unavailable",
        507,
        "There is no room for more at the moment.",
        "Delete old videos, or try again later.",
        True,
    ),
    Code.UNAVAILABLE: entry(
        "unavailable",
        503,
        "Part of the system is not reachable at the moment.",
        "Try again in a minute.",
        True,
    ),
    Code.INTERNAL: entry(
        "internal",
        500,
        "Something went wrong here.",
        "Try again; if it stays, tell your operator.",
        True,
    ),
}
