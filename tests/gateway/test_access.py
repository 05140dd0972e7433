"""Keys, roles, owners, limits and the audit trail, against a running gateway that needs them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.events import JobSubmitted
from runtime.ids import new_id
from runtime.stamp import now
from services.gateway.access.secrets import digest, is_key, mint_key
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.credentials import ApiKeys
from services.gateway.adapters.db.engine import open_database
from tests.support.gateway import IMAGE_FACTS, OPERATOR, TOKEN, StartGateway, World, sse, whole_job
from tests.support.media import photo
from tests.support.waiting import eventually


async def key_of(world: World, owner: str, role: str, **more: Any) -> dict[str, str]:
    """The headers of a fresh key."""
    body = {"owner": owner, "role": role, **more}
    answer = await world.http.post("/api/admin/keys", json=body, headers=OPERATOR)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


def job_of(owner: str, job_id: str) -> list[Any]:
    first, *rest = whole_job(job_id)
    assert isinstance(first, JobSubmitted)
    return [first.model_copy(update={"owner": owner}), *rest]


async def status(world: World, method: str, path: str, who: dict[str, str], **sent: Any) -> int:
    return (await world.http.request(method, path, headers=who, **sent)).status_code


def test_a_key_keeps_256_bits_and_only_its_hash_is_comparable() -> None:
    keys = {mint_key().key for _ in range(100)}
    assert len(keys) == 100
    assert all(is_key(key) for key in keys)
    assert not is_key(f"{keys.pop()}x")


async def test_key_opens_what_its_role_allows_and_nothing_more(guarded: World) -> None:
    viewer = await key_of(guarded, "vic", "viewer")
    creator = await key_of(guarded, "cleo", "creator")
    operator = await key_of(guarded, "olga", "operator")
    job = f"/api/jobs/{new_id()}"
    for who, submit, admin in ((viewer, 403, 403), (creator, 422, 403), (operator, 422, 200)):
        assert await status(guarded, "GET", "/api/jobs", who) == 200
        assert await status(guarded, "POST", "/api/jobs/animate", who, json={}) == submit
        assert await status(guarded, "GET", "/api/admin/health", who) == admin
        assert await status(guarded, "GET", "/api/admin/audit", who) == admin
    answer = await guarded.http.post(f"{job}/cancel", headers=viewer)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "creator" in answer.json()["remedy"]


async def test_revoked_expired_and_made_up_keys_open_nothing(guarded: World) -> None:
    revoked = await key_of(guarded, "rita", "viewer")
    key_id = revoked["Authorization"].removeprefix("Bearer ").rpartition("_")[0][:15]
    assert await status(guarded, "GET", "/api/jobs", revoked) == 200
    assert await status(guarded, "DELETE", f"/api/admin/keys/{key_id}", OPERATOR) == 204
    assert await status(guarded, "GET", "/api/jobs", revoked) == 401

    expiring = await key_of(guarded, "eve", "viewer", expires_in_days=1)
    listed = (await guarded.http.get("/api/admin/keys", headers=OPERATOR)).json()["keys"]
    assert [key["valid"] for key in listed] == [True, False]
    assert listed[0]["last_used_at"] is None
    assert listed[1]["last_used_at"] is not None
    secret = expiring["Authorization"].removeprefix("Bearer ")
    assert secret not in json.dumps(listed)
    database = open_database(f"sqlite+aiosqlite:///{guarded.state_dir}/gateway.sqlite3")
    kept = await ApiKeys(database).by_digest(digest(secret))
    await database.close()
    assert kept is not None
    assert kept.valid(now())
    assert not kept.valid(now() + timedelta(days=1, seconds=1))
    assert await status(guarded, "DELETE", "/api/admin/keys/ax_000000000000", OPERATOR) == 404
    for made_up in (mint_key().key, secret[:-1], f"{secret}.", "a.b.c"):
        who = {"Authorization": f"Bearer {made_up}"}
        assert await status(guarded, "GET", "/api/jobs", who) == 401


async def test_the_first_key_is_made_on_the_machine_itself(guarded: World) -> None:
    asked = ["--owner", "ann", "--role", "operator"]
    # The gateway runs in this loop and may hold the database: it must go on meanwhile.
    made = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.gateway.access.issuing", *asked],
        env={**os.environ, "ANIMATRIX_STATE_DIR": str(guarded.state_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    who = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
    assert await status(guarded, "GET", "/api/admin/keys", who) == 200


async def test_others_see_nothing_of_a_job_and_operators_see_all(guarded: World) -> None:
    ann, ben = await key_of(guarded, "ann", "creator"), await key_of(guarded, "ben", "creator")
    job_id = new_id()
    await guarded.say(*job_of("ann", job_id))

    async def listed(who: dict[str, str]) -> list[str]:
        page = (await guarded.http.get("/api/jobs", headers=who)).json()
        return [job["job_id"] for job in page["jobs"]]

    async def projected() -> bool:
        return await listed(ann) == [job_id] and await listed(OPERATOR) == [job_id]

    await eventually(projected)
    assert await listed(ben) == []
    base = f"/api/jobs/{job_id}"
    for path in ("", "/events", "/outputs", "/files/video.mp4", "/stream"):
        assert await status(guarded, "GET", f"{base}{path}", ben) == 404, path
        assert await status(guarded, "GET", f"{base}{path}", ann) in (200, 404), path
    assert await status(guarded, "GET", base, ann) == 200
    assert await status(guarded, "GET", base, OPERATOR) == 200
    assert await status(guarded, "POST", f"{base}/cancel", ben) == 404
    assert await status(guarded, "POST", f"{base}/retry", ben) == 404
    assert await status(guarded, "POST", f"{base}/retry", ann) == 409, "it did not fail"
    assert await status(guarded, "DELETE", base, ben) == 404
    assert await status(guarded, "DELETE", base, ann) == 204


async def test_stream_of_all_jobs_tells_only_ones_own(guarded: World) -> None:
    ann = await key_of(guarded, "ann", "viewer")
    hers, other = new_id(), new_id()
    async with (
        guarded.http.stream("GET", "/api/stream", headers=ann) as answer,
        aclosing(sse(answer)) as events,
    ):
        ready = await anext(events)
        await guarded.say(job_of("ben", other)[0], job_of("ann", hers)[0])
        assert (await anext(events))["data"]["job_id"] == hers
    headers = {**ann, "Last-Event-ID": ready["id"]}
    async with (
        guarded.http.stream("GET", "/api/stream", headers=headers) as answer,
        aclosing(sse(answer)) as events,
    ):
        assert (await anext(events))["data"]["job_id"] == hers


@pytest.mark.parametrize("by", ["key", "session", "time"])
async def test_an_open_stream_ends_when_its_credential_does(gateway: StartGateway, by: str) -> None:
    async with gateway(api_token=TOKEN, heartbeat_s=0.2) as world:
        ann, ben = await key_of(world, "ann", "viewer"), await key_of(world, "ben", "viewer")
        key = ann["Authorization"].removeprefix("Bearer ")
        who = ann
        if by == "session":
            signed_in = await world.http.post("/api/session", json={"key": key})
            who = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
            world.http.cookies.clear()
        async with (
            world.http.stream("GET", "/api/stream", headers=who) as hers,
            world.http.stream("GET", "/api/stream", headers=ben) as his,
            aclosing(sse(hers)) as heard,
            aclosing(sse(his)) as also_heard,
        ):
            assert (await anext(heard))["event"] == "ready"
            assert (await anext(also_heard))["event"] == "ready"
            if by == "time":
                await _let_expire(world, key[:15])
            else:
                revoked = await status(world, "DELETE", f"/api/admin/keys/{key[:15]}", OPERATOR)
                assert revoked == 204
            assert await asyncio.wait_for(anext(heard, None), 10) is None
            # Another's goes on, over some heartbeats more.
            await asyncio.sleep(0.6)
            job_id = new_id()
            await world.say(job_of("ben", job_id)[0])
            assert (await anext(also_heard))["data"]["job_id"] == job_id
        assert await status(world, "GET", "/api/stream", who) == 401


async def _let_expire(world: World, key_id: str) -> None:
    """A key's last day is over."""
    database = open_database(f"sqlite+aiosqlite:///{world.state_dir}/gateway.sqlite3")
    keys = tables.api_keys
    async with database.writer.begin() as connection:
        past = now() - timedelta(seconds=1)
        changed = await connection.execute(
            keys.update().where(keys.c.key_id == key_id).values(expires_at=past)
        )
    await database.close()
    assert changed.rowcount == 1


async def test_files_are_their_owners_and_a_job_may_name_only_ones_own(
    guarded: World, tmp_path: Path
) -> None:
    ann, ben = await key_of(guarded, "ann", "creator"), await key_of(guarded, "ben", "creator")
    png = photo(tmp_path / "photo.png").read_bytes()
    guarded.http.headers.update(ann)
    asset_id = await guarded.ready_asset("image", png, "hero.png", IMAGE_FACTS)
    del guarded.http.headers["Authorization"]
    base = f"/api/assets/{asset_id}"
    for path in ("", "/content", "/thumbnail"):
        assert await status(guarded, "GET", f"{base}{path}", ann) == 200
        assert await status(guarded, "GET", f"{base}{path}", OPERATOR) == 200
        assert await status(guarded, "GET", f"{base}{path}", ben) == 404
    body = {"mode": "start_end", "start_frame_asset_id": asset_id, "prompt": "A knight."}

    async def problems(who: dict[str, str]) -> list[str]:
        answer = await guarded.http.post("/api/jobs/preview", json=body, headers=who)
        assert answer.status_code == 200, answer.text
        return [problem["code"] for problem in answer.json()["problems"]]

    assert "asset_unknown" not in await problems(ann)
    assert "asset_unknown" in await problems(ben)
    assert "asset_unknown" in await problems(OPERATOR)


async def test_every_change_is_in_the_audit_trail_with_who_and_how_it_ended(
    guarded: World,
) -> None:
    viewer = await key_of(guarded, "vic", "viewer", name="lobby")
    job_id = new_id()
    assert await status(guarded, "POST", f"/api/jobs/{job_id}/cancel", viewer) == 403
    assert await status(guarded, "POST", f"/api/jobs/{job_id}/cancel", {}) == 401
    assert await status(guarded, "POST", f"/api/jobs/{job_id}/cancel", OPERATOR) == 404
    assert await status(guarded, "GET", "/api/jobs", viewer) == 200

    async def trail() -> list[dict[str, Any]] | None:
        page = (await guarded.http.get("/api/admin/audit?limit=2", headers=OPERATOR)).json()
        more = page["next_cursor"]
        if more is None:
            return None
        rest = await guarded.http.get(
            "/api/admin/audit", params={"limit": 2, "cursor": more}, headers=OPERATOR
        )
        deeds: list[dict[str, Any]] = page["deeds"] + rest.json()["deeds"]
        return deeds if len(deeds) == 3 else None

    cancelled, refused, created = await eventually(trail)
    action = "POST /api/jobs/{job_id}/cancel"
    assert (cancelled["owner"], cancelled["how"], cancelled["outcome"]) == ("local", "token", 404)
    assert (refused["owner"], refused["action"], refused["target"]) == ("vic", action, job_id)
    assert (refused["outcome"], refused["how"]) == (403, "key")
    assert refused["key_id"].startswith("ax_")
    assert (created["action"], created["outcome"]) == ("POST /api/admin/keys", 201)
    page = await guarded.http.get("/api/admin/audit?owner=vic", headers=OPERATOR)
    assert len(page.json()["deeds"]) == 1


async def test_submits_beyond_the_rate_are_refused_with_when_to_come_back(
    gateway: StartGateway, tmp_path: Path
) -> None:
    async with gateway(api_token=TOKEN, submits_per_minute=2, upload_mb_per_day=1) as world:
        ann, ben = await key_of(world, "ann", "creator"), await key_of(world, "ben", "creator")
        body = {"ground_truth_asset_id": new_id(), "motion_video_asset_id": new_id()}
        body |= {"prompt": "A knight."}
        answers = [
            await world.http.post("/api/jobs/animate", json=body, headers=ann) for _ in range(3)
        ]
        assert [a.status_code for a in answers] == [422, 422, 429]
        assert answers[2].json()["code"] == "rate_limited"
        assert 0 < int(answers[2].headers["retry-after"]) <= 61
        retry = f"/api/jobs/{new_id()}/retry"
        assert [await status(world, "POST", retry, who) for who in (ann, ben)] == [429, 404]
        assert await status(world, "POST", "/api/jobs/animate", ben, json=body) == 422

        png = photo(tmp_path / "photo.png").read_bytes() + bytes(600_000)
        first = await world.upload("image", png, "a.png", headers=ann)
        second = await world.upload("image", png, "a.png", headers=ann)
        assert (first.status_code, second.status_code) == (201, 429), first.text
        assert second.json()["code"] == "quota_exceeded"
        assert int(second.headers["retry-after"]) > 3600
        assert second.json()["remedy"]
        assert (await world.upload("image", png, "a.png", headers=ben)).status_code == 201
