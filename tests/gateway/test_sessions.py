"""The studio's session: its cookie, the token against forged changes, and its end."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from runtime.ids import new_id
from services.gateway.access.limits import SIGN_INS_PER_MINUTE
from tests.support.gateway import OPERATOR, TOKEN, World

TRACES = "https://traces.example/?job={job_id}"


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    return {"trace_url_template": TRACES}


async def sign_in(world: World, key: str, **headers: str) -> tuple[httpx.Response, dict[str, str]]:
    answer = await world.http.post("/api/session", json={"key": key}, headers=headers)
    world.http.cookies.clear()
    jar = SimpleCookie(answer.headers.get("set-cookie", ""))
    found = jar.get("animatrix_session")
    return answer, {"Cookie": f"animatrix_session={found.value}"} if found else {}


async def test_cookie_is_for_this_site_alone_and_out_of_scripts_reach(guarded: World) -> None:
    answer, _ = await sign_in(guarded, TOKEN)
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 201
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    over_tls, _ = await sign_in(guarded, TOKEN, **{"X-Forwarded-Proto": "https"})
    assert "Secure" in over_tls.headers["set-cookie"].split("; ")


async def test_session_reads_and_changes_only_with_its_token(guarded: World) -> None:
    assert (await guarded.http.get("/api/session")).status_code == 401
    answer, cookie = await sign_in(guarded, TOKEN)
    csrf = answer.json()["csrf"]
    told = (await guarded.http.get("/api/session", headers=cookie)).json()
    assert told == {
        "owner": "local",
        "roles": ["viewer", "creator", "operator"],
        "how": "session",
        "csrf": csrf,
        "trace_url_template": TRACES,
    }
    url = f"/api/jobs/{new_id()}/cancel"
    _, another = await sign_in(guarded, TOKEN)
    other = (await guarded.http.get("/api/session", headers=another)).json()["csrf"]
    for wrong in ("", other, csrf[:-1]):
        refused = await guarded.http.post(url, headers={**cookie, "X-CSRF-Token": wrong})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    right = await guarded.http.post(url, headers={**cookie, "X-CSRF-Token": csrf})
    assert right.status_code == 404


async def test_signed_out_session_is_over_on_the_server_too(guarded: World) -> None:
    answer, cookie = await sign_in(guarded, TOKEN)
    headers = {**cookie, "X-CSRF-Token": answer.json()["csrf"]}
    gone = await guarded.http.delete("/api/session", headers=headers)
    assert gone.status_code == 204
    assert 'animatrix_session=""' in gone.headers["set-cookie"]
    assert (await guarded.http.get("/api/jobs", headers=cookie)).status_code == 401


async def test_revoking_a_key_ends_the_sessions_begun_with_it(guarded: World) -> None:
    body = {"owner": "ann", "role": "viewer"}
    made = (await guarded.http.post("/api/admin/keys", json=body, headers=OPERATOR)).json()
    answer, cookie = await sign_in(guarded, made["key"])
    assert answer.json()["owner"] == "ann"
    assert (await guarded.http.get("/api/jobs", headers=cookie)).status_code == 200
    await guarded.http.delete(f"/api/admin/keys/{made['key_id']}", headers=OPERATOR)
    assert (await guarded.http.get("/api/jobs", headers=cookie)).status_code == 401


async def test_wrong_keys_open_no_session_and_guessing_is_slowed(guarded: World) -> None:
    codes = [
        (await sign_in(guarded, f"guess-number-{n}"))[0].status_code
        for n in range(SIGN_INS_PER_MINUTE + 1)
    ]
    assert codes == [401] * SIGN_INS_PER_MINUTE + [429]


async def test_forged_cookies_are_nobody(guarded: World) -> None:
    for value in ("x", "a" * 43, '"', ";;;"):
        headers = {"Cookie": f"animatrix_session={value}"}
        assert (await guarded.http.get("/api/jobs", headers=headers)).status_code == 401


async def test_without_credentials_the_local_user_is_told_as_such(world: World) -> None:
    told = (await world.http.get("/api/session")).json()
    assert (told["owner"], told["how"], told["csrf"]) == ("local", "loopback", None)
    assert told["roles"][-1] == "operator"
