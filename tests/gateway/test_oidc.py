"""OIDC bearer tokens against a real key server: what is let in, and every way of not being it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import ValidationError

from services.gateway.access.oidc import TokenRefused, TokenVerifier
from services.gateway.adapters import jwks
from services.gateway.adapters.jwks import IssuerKeys, KeysUnavailable
from services.gateway.settings import Settings

ISSUER, AUDIENCE = "https://id.example", "animatrix"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class KeyServer:
    """Serves a JWKS and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.body = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        self.serve({"rsa": RSA_KEY, "ec": EC_KEY})
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def serve(self, keys: dict[str, Any]) -> None:
        listed = []
        for key_id, key in keys.items():
            of_rsa = isinstance(key, rsa.RSAPrivateKey)
            algorithm = RSAAlgorithm if of_rsa else ECAlgorithm
            jwk = json.loads(algorithm.to_jwk(key.public_key()))
            listed.append(
                {**jwk, "kid": key_id, "use": "sig", "alg": "RS256" if of_rsa else "ES256"}
            )
        secret = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"k" * 32).decode()}
        self.body = json.dumps({"keys": [*listed, secret]}).encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture
def settings(key_server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ANIMATRIX_GATEWAY_OIDC_ISSUER", ISSUER)
    monkeypatch.setenv("ANIMATRIX_GATEWAY_OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("ANIMATRIX_GATEWAY_OIDC_JWKS_URL", key_server.url)
    monkeypatch.setenv("ANIMATRIX_GATEWAY_OIDC_ROLES_CLAIM", "realm_access.roles")
    return Settings()


@pytest.fixture
def verifier(settings: Settings, key_server: KeyServer) -> TokenVerifier:
    return TokenVerifier(settings, IssuerKeys(key_server.url))


def claims(**changed: Any) -> dict[str, Any]:
    base = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "iat": int(time.time()),
        "exp": int(time.time()) + 300,
        "realm_access": {"roles": ["animatrix-creator", "something-else"]},
    }
    return {name: value for name, value in {**base, **changed}.items() if value is not None}


def token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str = "rsa", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers={"kid": kid})


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned() -> str:
    return f"{_part({'alg': 'none', 'kid': 'rsa'})}.{_part(claims())}."


def signed_with_the_public_key() -> str:
    """The classic confusion: HS256 with the published key as the secret."""
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{_part({'alg': 'HS256', 'kid': 'rsa'})}.{_part(claims())}"
    mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize("make", [token, lambda: token(EC_KEY, "ES256", "ec")])
async def test_good_token_gives_owner_and_roles(
    verifier: TokenVerifier, make: Callable[[], str]
) -> None:
    caller = await verifier.caller(make())
    assert (caller.owner, caller.how) == ("oidc:ann", "oidc")
    assert caller.roles == {"viewer", "creator"}


@pytest.mark.parametrize(
    "make",
    [
        unsigned,
        signed_with_the_public_key,
        lambda: token(b"k" * 32, "HS256", "shared"),
        lambda: token(FOREIGN_KEY),
        lambda: token(RSA_KEY, "RS512"),
        lambda: token(EC_KEY, "ES256", "rsa"),
        lambda: token(kid="unknown"),
        lambda: token(aud="another"),
        lambda: token(aud=None),
        lambda: token(iss="https://evil.example"),
        lambda: token(exp=int(time.time()) - 60),
        lambda: token(exp=None),
        lambda: token(iat=int(time.time()) + 3600),
        lambda: token(nbf=int(time.time()) + 3600),
        lambda: token(sub=""),
        lambda: token(sub="a\nb"),
        lambda: token(sub="x" * 300),
        lambda: token()[:-4] + "AAAA",
        lambda: "a.b.c",
        lambda: f"{'a' * 20_000}.b.c",
    ],
)
async def test_every_other_token_is_refused(
    verifier: TokenVerifier, make: Callable[[], str]
) -> None:
    with pytest.raises(TokenRefused):
        await verifier.caller(make())


async def test_clocks_may_differ_a_little(verifier: TokenVerifier) -> None:
    assert await verifier.caller(token(exp=int(time.time()) - 10))


async def test_token_without_known_roles_may_do_nothing(verifier: TokenVerifier) -> None:
    assert (await verifier.caller(token(realm_access={"roles": ["admin"]}))).roles == frozenset()
    assert (await verifier.caller(token(realm_access="animatrix-operator"))).roles == frozenset()


async def test_keys_are_fetched_once_and_a_new_key_is_found(
    settings: Settings, key_server: KeyServer
) -> None:
    verifier = TokenVerifier(settings, IssuerKeys(key_server.url, asked_again_after_s=0))
    await asyncio.gather(*(verifier.caller(token()) for _ in range(20)))
    assert key_server.asked == 1
    key_server.serve({"new": FOREIGN_KEY})
    assert await verifier.caller(token(FOREIGN_KEY, kid="new"))
    with pytest.raises(TokenRefused):
        await verifier.caller(token())


async def test_made_up_key_ids_do_not_hammer_the_issuer(
    verifier: TokenVerifier, key_server: KeyServer
) -> None:
    assert await verifier.caller(token())
    for number in range(50):
        with pytest.raises(TokenRefused):
            await verifier.caller(token(kid=f"made-up-{number}"))
    assert key_server.asked == 1


async def test_issuer_that_goes_away_locks_nobody_out(
    settings: Settings, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = IssuerKeys(key_server.url, asked_again_after_s=0)
    verifier = TokenVerifier(settings, keys)
    key_server.status = 500
    with pytest.raises(KeysUnavailable):
        await verifier.caller(token())
    key_server.status = 200
    assert await verifier.caller(token())
    monkeypatch.setattr(jwks, "KEPT_S", 0)
    key_server.body = b"x" * (jwks.MAX_BYTES + 1)
    assert await verifier.caller(token())
    key_server.body = b"[]"
    assert await verifier.caller(token())
    assert key_server.asked == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_AUDIENCE", ""),
        ("OIDC_JWKS_URL", "http://id.example/keys"),
        ("OIDC_JWKS_URL", "file:///etc/passwd"),
        ("OIDC_ALGORITHMS", '["HS256"]'),
        ("OIDC_ALGORITHMS", '["none"]'),
        ("OIDC_ROLES", '{"staff": "root"}'),
    ],
)
def test_settings_that_would_let_anyone_in_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert settings.needs_credentials
    monkeypatch.setenv(f"ANIMATRIX_GATEWAY_{name}", value)
    with pytest.raises(ValidationError):
        Settings()
