"""What can be wrong with a job's results. Must not decide how the job ends: handlers do."""

from __future__ import annotations

from contracts.errors import ErrorCode


class ResultFault(Exception):
    """The results of a job cannot be delivered; running the collector again would not help.

    `code` is the user's error, `detail` the exact cause for operators, `step` the step at fault.
    """

    def __init__(self, code: ErrorCode, detail: str, step: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.step = step


def missing(detail: str, step: int | None = None) -> ResultFault:
    """A result that should be there is not."""
    return ResultFault(ErrorCode.RESULT_MISSING, detail, step)


def invalid(detail: str, step: int | None = None) -> ResultFault:
    """A result is there, and is not what was ordered."""
    return ResultFault(ErrorCode.RESULT_INVALID, detail, step)
