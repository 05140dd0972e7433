"""The edge: who may speak, which answers problems give, what the page is."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import structlog
from pydantic import ValidationError

from contracts.errors import ErrorCode
from runtime.ids import new_id
from runtime.nats_process import NatsProcess
from services.gateway.access.guard import is_loopback_name
from services.gateway.problems import Problem
from services.gateway.settings import Settings
from tests.support import examples
from tests.support.gateway import OPERATOR, TOKEN, World


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org"])  # noqa: S104
def test_listening_beyond_this_machine_needs_a_token(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("ANIMATRIX_GATEWAY_HOST", host)
    with pytest.raises(ValidationError, match="without an access token"):
        Settings()
    monkeypatch.setenv("ANIMATRIX_GATEWAY_API_TOKEN", TOKEN)
    assert Settings().host == host


def test_short_token_is_refused_and_no_token_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATRIX_GATEWAY_API_TOKEN", "short")
    with pytest.raises(ValidationError, match="at least 16"):
        Settings()
    monkeypatch.setenv("ANIMATRIX_GATEWAY_API_TOKEN", TOKEN)
    assert TOKEN not in repr(Settings())


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost:8321", True),
        ("127.0.0.1", True),
        ("127.8.9.1:80", True),
        ("[::1]:8321", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1:8321", False),
        ("", False),
    ],
)
def test_names_of_this_machine(name: str, local: bool) -> None:
    assert is_loopback_name(name) is local


async def test_foreign_host_name_is_refused(world: World) -> None:
    answer = await world.http.get("/api/jobs", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_host")
    broken = await world.http.get("/api/jobs", headers={"Host": "[::1"})
    assert broken.status_code in (400, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_pages_of_other_origins_may_change_nothing(
    world: World, headers: dict[str, str]
) -> None:
    url = f"/api/jobs/{new_id()}/cancel"
    answer = await world.http.post(url, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_host")
    own = {"Origin": f"http://127.0.0.1:{world.port}", "Sec-Fetch-Site": "same-origin"}
    assert (await world.http.post(url, headers=own)).status_code == 404


async def test_with_a_token_every_api_call_needs_it(guarded: World) -> None:
    for wrong in ({}, {"Authorization": "Bearer nope"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = await guarded.http.get("/api/jobs", headers=wrong)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    right = {**OPERATOR, "Host": "studio.example"}
    assert (await guarded.http.get("/api/jobs", headers=right)).status_code == 200
    assert (await guarded.http.get("/healthz")).status_code == 200
    assert (await guarded.http.get("/")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/api/jobs/*", {}, 404, "not_found"),
        ("GET", f"/api/jobs/{examples.JOB}", {}, 404, "not_found"),
        ("GET", f"/api/assets/{examples.IMAGE}", {}, 404, "not_found"),
        ("PATCH", "/api/jobs", {}, 405, "method_not_allowed"),
        ("GET", "/api/jobs?limit=0", {}, 422, "body_invalid"),
        ("GET", "/api/jobs?status=done", {}, 422, "body_invalid"),
        ("POST", "/api/jobs/animate", {"content": b"{"}, 400, "body_not_json"),
        ("POST", "/api/jobs/animate", {"content": b"\xff\xfe"}, 400, "body_not_json"),
        ("POST", "/api/jobs/animate", {"content": b"[" * 100_000}, 400, "body_not_json"),
        ("POST", "/api/jobs/animate", {"content": b"[]"}, 422, "body_invalid"),
        ("POST", "/api/jobs/animate", {"content": b""}, 422, "body_invalid"),
        ("POST", "/api/jobs/animate", {"content": b" " * 300_000}, 413, "file_too_large"),
        ("POST", "/api/jobs/preview", {"content": b'{"mode":"magic"}'}, 422, "body_invalid"),
    ],
)
async def test_every_refusal_is_a_problem(
    world: World, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await world.http.request(method, path, headers=headers, **options)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.status, problem.code) == (status, status, ErrorCode(code))


async def test_wrong_method_names_the_right_ones(world: World) -> None:
    answer = await world.http.patch(f"/api/jobs/{new_id()}")
    assert answer.headers["allow"] == "DELETE, GET"


async def test_accident_is_a_problem_without_its_cause(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> int:
        raise RuntimeError("secret cause")

    monkeypatch.setattr(world.media, "free_bytes", broken)
    with structlog.testing.capture_logs() as lines:
        answer = await world.http.get("/api/admin/health")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert any("secret cause" in str(line.get("exc_info")) for line in lines)


async def test_silent_bus_is_a_503_to_be_repeated(world: World, nats_server: NatsProcess) -> None:
    nats_server.kill()
    answer = await world.http.get(f"/api/jobs/{new_id()}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    nats_server.start()


async def test_every_route_documents_its_problems(world: World) -> None:
    schema = (await world.http.get("/api/openapi.json")).json()
    assert "Problem" in schema["components"]["schemas"]
    names = [
        operation["operationId"]
        for operations in schema["paths"].values()
        for operation in operations.values()
    ]
    assert len(names) == len(set(names))
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            refusals = {k: v for k, v in operation["responses"].items() if k >= "400"}
            assert refusals, path
            for refusal in refusals.values():
                assert list(refusal["content"]) == ["application/problem+json"], path


async def test_page_is_whole_and_asks_nobody_else(world: World) -> None:
    page = await world.http.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    for name in ("/page.js", "/page.css", "/icon.svg", "/favicon.ico"):
        part = await world.http.get(name)
        assert part.status_code == 200
        assert part.headers["x-content-type-options"] == "nosniff"
    assert "//" not in page.text.replace("<!doctype", "")


async def test_readiness_and_metrics_name_routes_not_ids(world: World) -> None:
    from prometheus_client import generate_latest

    job_id = new_id()
    await world.http.get(f"/api/jobs/{job_id}")
    assert (await world.http.get("/readyz")).json()["ready"] is True
    metrics = generate_latest().decode()
    assert 'route="/api/jobs/{job_id}"' in metrics
    assert job_id not in metrics


async def test_many_readers_are_answered_together(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.http.base_url) as http:
        answers = await asyncio.gather(*(http.get("/api/jobs") for _ in range(50)))
    assert {a.status_code for a in answers} == {200}
