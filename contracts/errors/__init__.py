"""The one catalogue of errors: code, failure class, what the user reads and what he can do.

Its lines are grouped by where an error arises. The exact cause goes to operators in `detail`; it is
never shown to users. Must not raise anything.
"""

from __future__ import annotations

from contracts.errors.catalogue import CATALOGUE, ErrorInfo, error_info
from contracts.errors.entries import ErrorCode, ErrorEntry, FailureClass

__all__ = ["CATALOGUE", "ErrorCode", "ErrorEntry", "ErrorInfo", "FailureClass", "error_info"]
