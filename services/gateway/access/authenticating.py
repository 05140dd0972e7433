"""Finds the caller by what a request shows: a token, an API key, a session. Refuses the rest.

Must not decide what a caller may do.
"""

from __future__ import annotations

from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

import structlog
from prometheus_client import Counter
from starlette.datastructures import Headers

from contracts.errors import ErrorCode
from runtime.stamp import now
from services.gateway.access.caller import LOCAL, LOCAL_OWNER, Caller, How, with_lower
from services.gateway.access.guard import SAFE_METHODS
from services.gateway.access.oidc import KeysUnavailable, TokenRefused, TokenVerifier
from services.gateway.access.secrets import csrf_of, digest, equal, is_key, mint_session
from services.gateway.adapters.db.credentials import ApiKey, ApiKeys, Sessions
from services.gateway.adapters.db.engine import AWAY_TYPES, is_away
from services.gateway.problems import Refused, refused
from services.gateway.settings import Settings

log = structlog.get_logger()
WRONG = Counter("animatrix_wrong_credentials", "Credentials that opened nothing", ["kind"])
COOKIE = "animatrix_session"
CSRF_HEADER = "X-CSRF-Token"
_TOKEN = "token:"  # noqa: S105 - the beginning of a subject


class SignedIn(NamedTuple):
    """A fresh session: the cookie's value, how long it is good, and who it is."""

    session: str
    good_for: timedelta
    caller: Caller


def wrong_credentials(kind: str) -> Refused:
    """The refusal of credentials that are unknown, expired or revoked: never says which."""
    WRONG.labels(kind).inc()
    return refused(ErrorCode.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})


def bearer_of(headers: Headers) -> str | None:
    """What stands in the Authorization header as a bearer token; None without the header.

    Raises Refused UNAUTHORIZED for any other scheme.
    """
    given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, credential = given.partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise wrong_credentials("scheme")
    return credential.strip()


def session_of(headers: Headers) -> str | None:
    """The value of the session cookie, None without one."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return cookie.value if cookie else None


class Authenticator:
    """Knows every kind of credential, and this machine's user where none are needed."""

    def __init__(
        self,
        settings: Settings,
        keys: ApiKeys,
        sessions: Sessions,
        tokens: TokenVerifier | None,
    ) -> None:
        """Nothing is read before the first request."""
        self._keys, self._sessions, self._tokens = keys, sessions, tokens
        self._token = settings.api_token.get_secret_value() if settings.api_token else None
        self._anyone = None if settings.needs_credentials else LOCAL
        self._session_for = timedelta(hours=settings.session_hours)

    async def caller(self, method: str, headers: Headers) -> Caller | None:
        """Who asks, None for nobody in particular. Raises Refused UNAUTHORIZED, FORBIDDEN."""
        bearer = bearer_of(headers)
        if bearer is not None:
            return await self._of_bearer(bearer)
        session = session_of(headers)
        caller = await self._of_session(session) if session else None
        if caller is None or session is None:
            return self._anyone
        if method not in SAFE_METHODS and not equal(headers.get(CSRF_HEADER, ""), csrf_of(session)):
            raise refused(
                ErrorCode.FORBIDDEN,
                sentence="The page may not do this: it does not know the session's token.",
                remedy=f"Send what GET /api/session gives as 'csrf' in the header {CSRF_HEADER}.",
            )
        return caller

    async def still(self, caller: Caller, headers: Headers) -> bool:
        """Whether what a request showed when it came would let the same caller in now.

        A database or an issuer that does not answer takes nobody's leave away.
        """
        if caller == LOCAL:
            return True
        try:
            return await self.caller("GET", headers) == caller
        except Refused as refusal:
            return refusal.errors[0].code == ErrorCode.UNAVAILABLE
        except AWAY_TYPES as trouble:
            if not is_away(trouble):
                raise
            log.warning("credentials cannot be looked up", reason=repr(trouble))
            return True

    async def _of_bearer(self, bearer: str) -> Caller:
        if self._token is not None and equal(bearer, self._token):
            return Caller(LOCAL_OWNER, with_lower(["operator"]), "token")
        if is_key(bearer):
            found = await self._of_key(await self._keys.by_digest(digest(bearer)), "key")
            if found is None:
                raise wrong_credentials("key")
            return found
        if self._tokens is None or bearer.count(".") != 2:
            raise wrong_credentials("bearer")
        try:
            return await self._tokens.caller(bearer)
        except TokenRefused as wrong:
            log.info("token refused", reason=str(wrong))
            raise wrong_credentials("oidc") from wrong
        except KeysUnavailable as away:
            raise refused(ErrorCode.UNAVAILABLE, headers={"Retry-After": "30"}) from away

    async def _of_key(self, key: ApiKey | None, how: How) -> Caller | None:
        at = now()
        if key is None or not key.valid(at):
            return None
        await self._keys.note_use(key, at)
        return Caller(key.owner, with_lower([key.role]), how, key.key_id)

    async def _of_session(self, session: str) -> Caller | None:
        subject = await self._sessions.subject(digest(session), now())
        if subject is None:
            return None
        if not subject.startswith(_TOKEN):
            return await self._of_key(await self._keys.by_id(subject), "session")
        # A session of the settings' token ends when the token is replaced.
        if self._token is None or not equal(subject, self._token_subject(self._token)):
            return None
        return Caller(LOCAL_OWNER, with_lower(["operator"]), "session")

    async def sign_in(self, credential: str) -> SignedIn:
        """Begin a session with a key or the settings' token. Raises Refused UNAUTHORIZED."""
        if self._token is not None and equal(credential, self._token):
            caller, subject = (
                Caller(LOCAL_OWNER, with_lower(["operator"]), "session"),
                self._token_subject(self._token),
            )
        else:
            key = await self._keys.by_digest(digest(credential)) if is_key(credential) else None
            found = await self._of_key(key, "session")
            if found is None or key is None:
                raise wrong_credentials("sign_in")
            caller, subject = found, key.key_id
        session, at = mint_session(), now()
        await self._sessions.begin(digest(session), subject, at, at + self._session_for)
        return SignedIn(session, self._session_for, caller)

    async def sign_out(self, headers: Headers) -> None:
        """End the session of a request, if it has one."""
        session = session_of(headers)
        if session is not None:
            await self._sessions.end(digest(session))

    @staticmethod
    def _token_subject(token: str) -> str:
        return f"{_TOKEN}{digest(token)[:32]}"
