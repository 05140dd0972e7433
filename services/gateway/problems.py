"""Every refusal as problem+json (RFC 9457): one shape, a code, a plain sentence, a remedy.

Must not decide what is refused. Exact causes go to the log, never into a response.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, get_args

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException as FastAPIHTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from contracts.errors import CATALOGUE, ErrorCode, ErrorInfo, error_info
from contracts.plan import Mode

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str | None
    code: ErrorCode
    sentence: str
    remedy: str


class Problem(BaseModel):
    """The body of every refusal."""

    type: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    remedy: str
    errors: list[FieldProblem] = []
    fallback: dict[str, Any] | None = Field(
        default=None,
        description="What could be made instead (as in a preview); nothing is until it is sent.",
    )


class Refused(Exception):
    """A request that is answered with a problem. The first error gives status and sentence."""

    def __init__(
        self,
        *errors: ErrorInfo,
        headers: Mapping[str, str] | None = None,
        fallback: Mapping[str, Any] | None = None,
    ) -> None:
        """Refuse for these reasons, at least one; perhaps with what could be made instead."""
        super().__init__(errors[0].sentence)
        self.errors = errors
        self.headers = dict(headers or {})
        self.fallback = dict(fallback) if fallback is not None else None


class RefusedInside(FastAPIHTTPException):
    """A refusal from inside a library that lets nothing through but HTTPExceptions."""

    def __init__(self, refusal: Refused) -> None:
        """Carry the refusal out."""
        super().__init__(CATALOGUE[refusal.errors[0].code].http_status, str(refusal))
        self.refusal = refusal


def refused(
    code: ErrorCode,
    *,
    sentence: str | None = None,
    remedy: str | None = None,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refused:
    """A refusal with one reason from the catalogue."""
    return Refused(error_info(code, sentence=sentence, remedy=remedy, field=field), headers=headers)


def field_problem(error: ErrorInfo) -> FieldProblem:
    """What a user may read of an error."""
    return FieldProblem(
        field=error.field, code=error.code, sentence=error.sentence, remedy=error.remedy
    )


def problem_of(errors: Iterable[ErrorInfo], status: int | None = None) -> Problem:
    """The body for one or more errors; the first one names the problem."""
    listed = list(errors)
    first = listed[0]
    entry = CATALOGUE[first.code]
    named = [field_problem(e) for e in listed if e.field is not None or len(listed) > 1]
    return Problem(
        type=f"urn:animatrix:problem:{first.code}",
        title=entry.sentence,
        status=status or entry.http_status,
        detail=first.sentence,
        code=first.code,
        remedy=first.remedy,
        errors=named,
    )


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response that carries a problem."""
    left_out = {"fallback"} if problem.fallback is None else None
    return JSONResponse(
        problem.model_dump(mode="json", exclude=left_out),
        status_code=problem.status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


_ANYWHERE = (
    ErrorCode.UNAUTHORIZED,
    ErrorCode.FORBIDDEN,
    ErrorCode.FORBIDDEN_HOST,
    ErrorCode.INTERNAL,
)


def responses(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says about the problems that a route may answer with."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, *_ANYWHERE):
        entry = CATALOGUE[code]
        line = f"`{code}`: {entry.sentence}"
        known = described.get(entry.http_status)
        if known is not None:
            known["description"] += f"\n\n{line}"
            continue
        described[entry.http_status] = {
            "description": line,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return described


_BY_STATUS = {
    400: ErrorCode.BODY_NOT_JSON,
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    410: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.FILE_TOO_LARGE,
    416: ErrorCode.RANGE_UNSATISFIABLE,
    503: ErrorCode.UNAVAILABLE,
}
_PLACES = frozenset({"body", "query", "path", "header"})
_MODES = frozenset(get_args(Mode))


def _field_of(location: tuple[Any, ...]) -> str | None:
    parts = [str(part) for part in location]
    if parts and parts[0] in _PLACES:
        del parts[0]
    if parts and parts[0] in _MODES:
        # Pydantic names the member of the union here; the sender wrote no such field.
        del parts[0]
    return ".".join(parts) or None


def _sentence_of(kind: str, message: str, field: str | None) -> str:
    name = f"'{field}'" if field else "The request"
    if kind == "extra_forbidden":
        return f"{name} is not a known field."
    if kind == "missing":
        return f"{name} is missing."
    return f"{name}: {message[0].lower()}{message[1:]}." if message else f"{name} is not valid."


def errors_of_validation(found: Iterable[Mapping[str, Any]]) -> list[ErrorInfo]:
    """Pydantic's findings as errors of the catalogue, one per field."""
    errors = []
    for one in found:
        kind = str(one["type"])
        if kind == "json_invalid":
            return [error_info(ErrorCode.BODY_NOT_JSON)]
        field = "mode" if kind.startswith("union_tag") else _field_of(tuple(one["loc"]))
        sentence = _sentence_of(kind, str(one.get("msg", "")), field)
        remedy = "Leave it out." if kind == "extra_forbidden" else None
        errors.append(
            error_info(ErrorCode.BODY_INVALID, sentence=sentence, remedy=remedy, field=field)
        )
    return errors or [error_info(ErrorCode.BODY_INVALID)]


def allowed_methods(app: FastAPI, scope: Scope) -> str:
    """Every method that the path of a request answers to, for the Allow header."""
    methods = set()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        for route in app.router.routes:
            if route.matches({**scope, "method": method})[0] is Match.FULL:
                methods.add(method)
                break
    return ", ".join(sorted(methods))


def install(app: FastAPI) -> None:
    """Make every failure of the application a problem."""

    @app.exception_handler(Refused)
    async def on_refused(_request: Request, refusal: Refused) -> JSONResponse:
        problem = problem_of(refusal.errors)
        if refusal.fallback is not None:
            problem = problem.model_copy(update={"fallback": refusal.fallback})
        return respond(problem, refusal.headers)

    @app.exception_handler(RefusedInside)
    async def on_refused_inside(_request: Request, carried: RefusedInside) -> JSONResponse:
        return respond(problem_of(carried.refusal.errors), carried.refusal.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, invalid: RequestValidationError) -> JSONResponse:
        return respond(problem_of(errors_of_validation(invalid.errors())))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, problem: HTTPException) -> JSONResponse:
        code = _BY_STATUS.get(problem.status_code, ErrorCode.BODY_INVALID)
        headers = dict(problem.headers or {})
        if code is ErrorCode.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed_methods(app, request.scope)
        sentence = "The request is too large." if code is ErrorCode.FILE_TOO_LARGE else None
        status = HTTPStatus(problem.status_code)
        return respond(problem_of([error_info(code, sentence=sentence)], status), headers)

    @app.exception_handler(Exception)
    async def on_accident(request: Request, accident: Exception) -> JSONResponse:
        log.error("request failed", path=request.url.path, exc_info=accident)
        return respond(problem_of([error_info(ErrorCode.INTERNAL)]))
