"""Submitting jobs: what is accepted, what is refused in words, and what a key guarantees."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contracts.errors import ErrorCode, error_info
from contracts.events import AssetReady, AssetRejected, JobSubmitted
from contracts.media import AudioFacts
from runtime.ids import new_id
from runtime.stamp import stamp
from services.gateway.adapters.db.engine import open_database
from services.gateway.adapters.db.idempotency import IdempotencyKeys
from services.gateway.settings import Settings
from tests.support import examples
from tests.support.examples import VIDEO_FACTS
from tests.support.gateway import IMAGE_FACTS, World, board_with_engine
from tests.support.waiting import eventually

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(100)
MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(100)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(100)
AUDIO_FACTS = AudioFacts(
    sample_rate_hz=44100, channels=2, duration_s=2.0, codec="pcm_s16le", container="wav"
)


async def animate_body(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "prompt": "she dances",
        "ground_truth_asset_id": await world.ready_asset("image", PNG, "a.png", IMAGE_FACTS),
        "motion_video_asset_id": await world.ready_asset("video", MP4, "b.mp4", VIDEO_FACTS),
        **changes,
    }


async def test_submitted_job_is_known_at_once_and_listed(world: World) -> None:
    await board_with_engine(world)
    answer = await world.http.post("/api/jobs/animate", json=await animate_body(world, seed=11))
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["job_id"]
    assert answer.json() == {"job_id": job_id, "status": "accepted"}

    job = await world.job(job_id)
    assert job["status"] == "accepted"
    assert job["settings_json"]["seed"] == 11
    assert job["workflow_template"].startswith("wan22_animate_move@")
    assert [a["role"] for a in job["assets"]] == ["ground_truth", "motion_video"]
    assert job["progress"]["phase"] == "preparing"

    async def listed() -> bool:
        page = (await world.http.get("/api/jobs?mode=animate&status=accepted")).json()
        return [j["job_id"] for j in page["jobs"]] == [job_id]

    await eventually(listed)
    assert (await world.http.get("/api/jobs?mode=audio_performance")).json()["jobs"] == []


async def test_audio_performance_is_accepted(world: World) -> None:
    body = {
        "prompt": "he sings",
        "ground_truth_asset_id": await world.ready_asset("image", PNG, "a.png", IMAGE_FACTS),
        "audio_asset_id": await world.ready_asset("audio", WAV, "b.wav", AUDIO_FACTS),
    }
    answer = await world.http.post("/api/jobs/audio-performance", json=body)
    assert answer.status_code == 202, answer.text
    assert (await world.job(answer.json()["job_id"]))["mode"] == "audio_performance"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"prompt": "  "}, "prompt_missing", "prompt"),
        ({"ground_truth_asset_id": None}, "ground_truth_missing", "ground_truth_asset_id"),
        ({"motion_video_asset_id": None}, "motion_video_missing", "motion_video_asset_id"),
        ({"ground_truth_asset_id": examples.JOB}, "asset_unknown", "ground_truth_asset_id"),
        ({"ground_truth_asset_id": "*"}, "asset_unknown", "ground_truth_asset_id"),
        ({"unheard_of": 1}, "body_invalid", "unheard_of"),
        ({"seed": "many"}, "body_invalid", "seed"),
        ({"crop": {"x_px": 0, "colour": 1}}, "body_invalid", "crop.y_px"),
    ],
)
async def test_wrong_request_is_refused_with_the_field_and_a_remedy(
    world: World, changes: dict[str, Any], code: str, field: str
) -> None:
    answer = await world.http.post("/api/jobs/animate", json=await animate_body(world, **changes))
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["errors"][0]["field"]) == (code, field)
    assert problem["status"] == 422
    assert problem["detail"].endswith(".")
    assert problem["remedy"].endswith(".")
    assert (await world.http.get("/api/jobs")).json()["jobs"] == []


async def test_asset_of_the_wrong_kind_and_mode_is_refused(world: World) -> None:
    audio = await world.ready_asset("audio", WAV, "b.wav", AUDIO_FACTS)
    body = await animate_body(world)
    wrong_kind = await world.http.post(
        "/api/jobs/animate", json={**body, "motion_video_asset_id": audio}
    )
    assert wrong_kind.json()["code"] == "asset_wrong_kind"
    wrong_mode = await world.http.post("/api/jobs/animate", json={**body, "audio_asset_id": audio})
    assert wrong_mode.json()["code"] == "asset_unused_in_mode"


async def test_every_fault_is_named_at_once(world: World) -> None:
    problem = (await world.http.post("/api/jobs/animate", json={})).json()
    assert {e["field"] for e in problem["errors"]} == {
        "prompt",
        "ground_truth_asset_id",
        "motion_video_asset_id",
    }


async def test_rejected_asset_fails_the_submit_with_its_own_reason(world: World) -> None:
    asset_id = (await world.upload("image", PNG, "a.png")).json()["asset_id"]
    error = error_info(ErrorCode.FILE_UNDECODABLE)
    await world.say(AssetRejected(**stamp(None), asset_id=asset_id, error=error))
    body = await animate_body(world, ground_truth_asset_id=asset_id)
    problem = (await world.http.post("/api/jobs/animate", json=body)).json()
    assert problem["code"] == "asset_rejected"
    assert problem["detail"] == "The file is damaged or incomplete."


async def test_submit_waits_for_an_asset_that_is_still_checked(world: World) -> None:
    body = await animate_body(world)
    slow = (await world.upload("image", PNG + b"2", "slow.png")).json()["asset_id"]
    body["ground_truth_asset_id"] = slow
    submitting = asyncio.create_task(world.http.post("/api/jobs/animate", json=body))
    done, _ = await asyncio.wait({submitting}, timeout=0.5)
    assert not done
    thumbnail = await world.media.put_bytes("assets/slow.jpg", b"jpg")
    await world.say(
        AssetReady(**stamp(None), asset_id=slow, facts=IMAGE_FACTS, thumbnail=thumbnail)
    )
    assert (await submitting).status_code == 202


async def test_asset_that_stays_checking_is_a_409_that_may_be_repeated(world: World) -> None:
    slow = (await world.upload("image", PNG, "slow.png")).json()["asset_id"]
    body = await animate_body(world, ground_truth_asset_id=slow)
    answer = await world.http.post("/api/jobs/animate", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "asset_checking")


async def test_preview_plans_or_names_problems_and_keeps_nothing(world: World) -> None:
    body = await animate_body(world)
    good = (await world.http.post("/api/jobs/preview", json={"mode": "animate", **body})).json()
    assert good["ok"]
    assert good["plan"]["delivery"]["fps"] == 16
    bad = (await world.http.post("/api/jobs/preview", json={"mode": "audio_performance"})).json()
    assert not bad["ok"]
    assert "audio_missing" in [p["code"] for p in bad["problems"]]
    unknown = await world.http.post("/api/jobs/preview", json={"mode": "animate", "x": 1})
    assert unknown.json()["errors"][0]["field"] == "x"
    assert (await world.buses["gateway"].stream_state("JOBS")).messages == 0


async def test_same_key_and_body_give_the_same_job(world: World) -> None:
    body, headers = await animate_body(world), {"Idempotency-Key": "k-1"}
    first = await world.http.post("/api/jobs/animate", json=body, headers=headers)
    again = await world.http.post("/api/jobs/animate", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["job_id"] == again.json()["job_id"]
    assert (await world.buses["gateway"].stream_state("JOBS")).messages == 1


async def test_racing_submits_under_one_key_make_one_job(world: World) -> None:
    body, headers = await animate_body(world), {"Idempotency-Key": "k-1"}
    answers = await asyncio.gather(
        *(world.http.post("/api/jobs/animate", json=body, headers=headers) for _ in range(8))
    )
    assert len({a.json()["job_id"] for a in answers}) == 1
    assert (await world.buses["gateway"].stream_state("JOBS")).messages == 1


async def test_key_with_another_body_is_refused(world: World) -> None:
    body, headers = await animate_body(world), {"Idempotency-Key": "k-1"}
    await world.http.post("/api/jobs/animate", json=body, headers=headers)
    other = {**body, "prompt": "she jumps"}
    answer = await world.http.post("/api/jobs/animate", json=other, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_submit_that_died_before_publishing_is_repaired_by_its_repeat(world: World) -> None:
    body, headers = await animate_body(world), {"Idempotency-Key": "k-1"}
    job_id = (await world.http.post("/api/jobs/animate", json=body, headers=headers)).json()[
        "job_id"
    ]
    # The same row under another key, whose job_submitted was never published.
    database = open_database(Settings().url_of_database(world.state_dir))
    keys = IdempotencyKeys(database)
    stored = await keys.find("local", "k-1")
    assert stored is not None
    lost = JobSubmitted.model_validate({**stored.event.model_dump(), "job_id": new_id()})
    await keys.keep(type(stored)("local", "k-2", stored.body_sha256, lost, stored.created_at))
    await database.close()
    assert (await world.http.get(f"/api/jobs/{lost.job_id}")).status_code == 404

    again = await world.http.post(
        "/api/jobs/animate", json=body, headers={"Idempotency-Key": "k-2"}
    )
    assert again.json()["job_id"] == lost.job_id != job_id
    assert (await world.job(lost.job_id))["status"] == "accepted"


async def test_near_full_store_refuses_new_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nearly_full() -> int:
        return -1

    monkeypatch.setattr(world.media, "free_bytes", nearly_full)
    answer = await world.upload("image", PNG, "a.png")
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")


async def test_capabilities_say_what_is_offered_and_that_it_is_simulated(world: World) -> None:
    await board_with_engine(world)
    found = (await world.http.get("/api/capabilities")).json()
    assert {"animate", "audio_performance", "start_end"} <= {m["mode"] for m in found["modes"]}
    assert found["simulated"] is True
    assert found["uploads"]["image_bytes"] == 1024 * 1024
