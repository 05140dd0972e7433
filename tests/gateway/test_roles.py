"""Every route needs a role that stands in one table, and the table names no other route."""

from __future__ import annotations

import pytest

from services.gateway.access.caller import Caller, with_lower
from services.gateway.access.roles import PUBLIC, ROUTE_ROLES, permit
from services.gateway.routes.uploads import PATH
from services.gateway.web import ROUTE_MODULES

TUS = {
    (method, PATH if method in ("POST", "OPTIONS") else f"{PATH}/{{uuid}}")
    for method in ("POST", "OPTIONS", "GET", "PATCH", "DELETE")
}
"""The routes of the tus protocol, HEAD as GET; test_resumable_uploads shows that they answer."""


def served() -> set[tuple[str, str]]:
    routes = {("GET", "/api/openapi.json"), *TUS}
    for module in ROUTE_MODULES:
        for route in module.router.routes:
            routes |= {(method, route.path) for method in route.methods - {"HEAD"}}
    return routes


def test_every_route_needs_a_role_of_the_table_and_the_table_names_no_other() -> None:
    listed = {(method, path) for path, roles in ROUTE_ROLES.items() for method in roles}
    assert listed == served()
    for method, path in listed:
        found = permit(method, path.replace(":path", ""))
        assert found is not None
        assert found.path == path


def test_of_the_api_only_signing_in_and_signed_links_are_public() -> None:
    public = {
        (method, path)
        for path, roles in ROUTE_ROLES.items()
        for method, role in roles.items()
        if role == PUBLIC and path.startswith("/api/")
    }
    assert public == {
        ("POST", "/api/session"),
        ("GET", "/api/shared/{token}"),
        ("GET", "/api/shared/{token}/{name}"),
    }


def test_only_operators_reach_the_admin_routes_and_only_creators_change_anything() -> None:
    for path, roles in ROUTE_ROLES.items():
        for method, role in roles.items():
            if path.startswith("/api/admin/"):
                assert role == "operator", path
            if method != "GET" and path != "/api/session":
                assert role in ("creator", "operator"), path


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("HEAD", "/api/jobs/1/files/video.mp4", "/api/jobs/{job_id}/files/{name}"),
        ("POST", "/api/jobs/preview", "/api/jobs/preview"),
        ("GET", "/api/jobs/preview", "/api/jobs/{job_id}"),
        ("GET", "/console/a/b", "/console/{rest:path}"),
        ("POST", "/api/jobs/1", None),
        ("GET", "/api/jobs/1/2/3", None),
        ("GET", "/api//jobs", None),
    ],
)
def test_requests_meet_the_line_of_their_route(method: str, path: str, route: str | None) -> None:
    found = permit(method, path)
    assert (found.path if found else None) == route


def test_roles_contain_each_other_and_only_operators_see_others() -> None:
    creator = Caller("ann", with_lower(["creator"]), "key")
    assert creator.may("viewer")
    assert not creator.may("operator")
    assert creator.sees("ann")
    assert not creator.sees("ben")
    operator = Caller("ops", with_lower(["viewer", "operator"]), "key")
    assert operator.sees("ben")
    assert operator.sees_only is None
    assert with_lower([]) == frozenset()
