"""The shapes in which A1111 and Forge report errors.

Owns the error bodies and nothing else.
"""

from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response


class Refused(Exception):
    """A request the server answers with an HTTP error and a sentence in `detail`."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Crashed(Exception):
    """A Python exception inside the server; `kind` is its type's name."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def refused(fault: Refused, flavour: str) -> Response:
    """An HTTPException; Forge leaves it as it is."""
    if flavour != "a1111":
        return JSONResponse({"detail": fault.detail}, fault.status)
    body = {"error": "HTTPException", "detail": fault.detail, "body": "", "errors": ""}
    return JSONResponse(body, fault.status)


def crashed(kind: str, text: str, flavour: str) -> Response:
    """An unexpected exception: 500, the text under `errors`, on Forge under `message`."""
    told = {"errors": text} if flavour == "a1111" else {"message": text}
    return JSONResponse({"error": kind, "detail": "", "body": "", **told}, 500)


def misshapen(fault: ValidationError) -> Response:
    """A value of the wrong type: 422 with a list."""
    detail: list[dict[str, Any]] = [
        {"loc": ["body", *error["loc"]], "msg": error["msg"], "type": error["type"]}
        for error in fault.errors(include_url=False, include_context=False, include_input=False)
    ]
    return JSONResponse({"detail": detail}, 422)


def not_found() -> Response:
    """A route the server does not have."""
    return JSONResponse({"detail": "Not Found"}, 404)
