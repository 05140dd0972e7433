"""The studio's session: sign in with a key, who is signed in, sign out.

The cookie is HttpOnly and SameSite=Strict; changes need the token that GET gives besides.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import ErrorCode
from services.gateway.access.authenticating import COOKIE, session_of
from services.gateway.access.caller import ROLES, Caller, How, Role
from services.gateway.access.secrets import csrf_of
from services.gateway.deps import Deps, Needs, Who
from services.gateway.problems import responses

router = APIRouter(prefix="/api/session", tags=["session"])
_C = ErrorCode


class SignIn(BaseModel):
    """What to sign in with: an API key, or the access token of the settings."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: str = Field(min_length=1, max_length=200)


class SessionView(BaseModel):
    """Who asks. `csrf` goes into X-CSRF-Token with every change; None where no cookie is used.

    `trace_url_template` is where an operator sees the trace of the job whose id takes the place of
    `{job_id}`; None for others, and where no such place is set.
    """

    owner: str
    roles: list[Role]
    how: How
    csrf: str | None
    trace_url_template: str | None


def _view(deps: Deps, caller: Caller, session: str | None) -> SessionView:
    return SessionView(
        owner=caller.owner,
        roles=[role for role in ROLES if caller.may(role)],
        how=caller.how,
        csrf=csrf_of(session) if session is not None and caller.how == "session" else None,
        trace_url_template=deps.settings.trace_url_template if caller.may("operator") else None,
    )


@router.get("", responses=responses())
async def who(deps: Needs, caller: Who, request: Request) -> SessionView:
    """Who the request speaks for; 401 asks for signing in."""
    return _view(deps, caller, session_of(request.headers))


@router.post(
    "",
    status_code=201,
    responses=responses(_C.BODY_NOT_JSON, _C.BODY_INVALID, _C.FILE_TOO_LARGE, _C.RATE_LIMITED),
)
async def sign_in(deps: Needs, body: SignIn, request: Request, response: Response) -> SessionView:
    """Begin a session: sets the cookie."""
    await deps.limits.sign_in(request.client.host if request.client else "unknown")
    session, good_for, caller = await deps.credentials.sign_in(body.key)
    # The trail of deeds shall say who signed in.
    request.state.caller = caller
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(good_for.total_seconds()),
        path="/",
        secure=_over_tls(request) or deps.settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )
    return _view(deps, caller, session)


@router.delete("", status_code=204, responses=responses())
async def sign_out(deps: Needs, _caller: Who, request: Request, response: Response) -> None:
    """End the session: it is forgotten here too, not only in the browser."""
    await deps.credentials.sign_out(request.headers)
    response.delete_cookie(
        COOKIE,
        path="/",
        secure=_over_tls(request) or deps.settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )


def _over_tls(request: Request) -> bool:
    return request.url.scheme == "https"
