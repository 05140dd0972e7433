"""The one catalogue, put together from its groups, and the lookup in it.

Owns the form in which an error travels. Must not hold a line of its own: that belongs to a group.
"""

from __future__ import annotations

from contracts.base import Contract
from contracts.errors.access import ACCESS
from contracts.errors.engines import ENGINES
from contracts.errors.entries import Entries, ErrorCode, ErrorEntry, FailureClass
from contracts.errors.jobs import JOBS
from contracts.errors.requests import REQUESTS
from contracts.errors.results import RESULTS
from contracts.errors.uploads import UPLOADS

GROUPS: tuple[Entries, ...] = (REQUESTS, UPLOADS, ACCESS, JOBS, ENGINES, RESULTS)
CATALOGUE: dict[ErrorCode, ErrorEntry] = {
    code: line for group in GROUPS for code, line in group.items()
}


class ErrorInfo(Contract):
    """An error as it travels: what the user reads, and the exact cause for operators."""

    code: ErrorCode
    failure_class: FailureClass
    retryable: bool
    sentence: str
    remedy: str
    field: str | None = None
    detail: str | None = None


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
