"""Share links: what they show, to whom, and when they stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.gateway.access.sharing import link, share_of
from tests.support.gateway import OPERATOR, World

SECRET, AT = b"s" * 32, datetime(2026, 1, 1, tzinfo=UTC)
SHARE = "ab" * 12


def test_only_an_unchanged_link_names_its_share_until_its_end() -> None:
    text = link(SECRET, SHARE, AT + timedelta(hours=1))
    assert share_of(SECRET, text, AT) == SHARE
    assert share_of(SECRET, text, AT + timedelta(hours=1)) is None
    assert share_of(b"x" * 32, text, AT) is None
    share_id, ends, mac = text.split(".")
    for forged in (
        f"{share_id}.{int(ends) + 9999}.{mac}",
        f"{'cd' * 12}.{ends}.{mac}",
        f"{share_id}.{ends}.{'A' * 43}",
        f"{text}=",
        f"{text}/..",
        "",
        "..",
    ):
        assert share_of(SECRET, forged, AT) is None, forged


@pytest.fixture
def guarded(guarded: World) -> World:
    """Asked by its operator, where nothing else is said."""
    guarded.http.headers.update(OPERATOR)
    return guarded


async def shared(world: World, job_id: str) -> dict[str, Any]:
    answer = await world.http.post(f"/api/jobs/{job_id}/share", json={"expires_in_hours": 1})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_link_shows_video_and_pictures_with_range_and_nothing_else(guarded: World) -> None:
    job_id = await guarded.completed_job()
    url = (await shared(guarded, job_id))["url"]
    async with httpx.AsyncClient(base_url=guarded.http.base_url) as stranger:
        view = (await stranger.get(url)).json()
        names = {file["name"] for file in view["files"]}
        assert names == {"video.mp4", "poster.jpg", "first_frame.jpg", "preview.webp"}
        assert "prompt" not in str(view)
        part = await stranger.get(f"{url}/video.mp4", headers={"Range": "bytes=3-7"})
        assert (part.status_code, part.content) == (206, b"34567")
        assert part.headers["x-content-type-options"] == "nosniff"
        saved = await stranger.head(f"{url}/video.mp4?download=true")
        assert saved.headers["content-disposition"].startswith("attachment")
        for hidden in ("job_manifest.json", "debug_metadata.json", "../video.mp4"):
            assert (await stranger.get(f"{url}/{hidden}")).status_code == 404
        assert (await stranger.get(f"/api/jobs/{job_id}")).status_code == 401
        assert (await stranger.get(f"{url[:-3]}AAA")).status_code == 404


async def test_revoked_link_and_link_to_a_deleted_job_show_nothing(guarded: World) -> None:
    job_id = await guarded.completed_job()
    first, second = await shared(guarded, job_id), await shared(guarded, job_id)
    base = f"/api/jobs/{job_id}/share"
    assert (await guarded.http.delete(f"{base}/{first['share_id']}")).status_code == 204
    assert (await guarded.http.delete(f"{base}/{'ab' * 12}")).status_code == 404
    listed = (await guarded.http.get(base)).json()["shares"]
    assert {one["share_id"]: one["revoked"] for one in listed} == {
        first["share_id"]: True,
        second["share_id"]: False,
    }
    assert (await guarded.http.get(first["url"])).status_code == 404
    assert (await guarded.http.get(f"{first['url']}/video.mp4")).status_code == 404
    assert (await guarded.http.get(second["url"])).status_code == 200
    assert (await guarded.http.delete(f"/api/jobs/{job_id}")).status_code == 204
    assert (await guarded.http.get(second["url"])).status_code == 404
