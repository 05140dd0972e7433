"""Stage chains over HTTP: submit, preview, refusals with another chain, packs, capabilities."""

from __future__ import annotations

from typing import Any

from contracts.engines import DeforumCapability, EngineSnapshot
from contracts.events import JobSubmitted
from runtime.engine_board import EngineBoard
from services.gateway.engines import FRESH_S
from tests.planning.examples import RENDER, STILL, frames, webui
from tests.support.gateway import IMAGE_FACTS, World
from tests.support.media import Size, photo
from tests.support.waiting import eventually

REASON = "The Deforum API is not there (start the server with --deforum-api)."
CHAIN_C = {"prompt": "a lake", "stages": [STILL, frames("deforum"), RENDER]}


def _without_deforum() -> EngineSnapshot:
    return webui(deforum=DeforumCapability(missing=(REASON,)))


async def _on_board(world: World, snapshot: EngineSnapshot) -> None:
    """Put it on the board, and wait until the gateway has read it."""
    await EngineBoard(world.buses["executor"]).put(snapshot)

    async def read() -> bool:
        told = (await world.http.get("/api/capabilities")).json()["motion_clip"]
        assert snapshot.webui is not None
        deforum = next(b for b in told["backends"] if b["name"] == "webui_deforum")
        return bool(deforum["missing"] == list(snapshot.webui.deforum.missing))

    await eventually(read, within_s=FRESH_S + 8)


async def test_a_backend_that_is_off_is_refused_with_the_reason_and_a_chain_to_send(
    world: World,
) -> None:
    await _on_board(world, _without_deforum())
    shown = await world.http.post("/api/jobs/preview", json={"mode": "motion_clip", **CHAIN_C})
    assert shown.status_code == 200, shown.text
    preview = shown.json()
    assert (preview["ok"], preview["plan"]) == (False, None)
    assert REASON in preview["problems"][0]["sentence"]
    sent = await world.http.post("/api/jobs/motion-clip", json=CHAIN_C)
    assert sent.status_code == 422
    problem = sent.json()
    assert (problem["code"], problem["errors"][0]["field"]) == ("capability_missing", "stages[1]")
    kinds = [stage["kind"] for stage in problem["fallback"]["plan"]["stages"]]
    assert kinds == ["txt2img", "video_render"]
    assert (await world.http.get("/api/jobs")).json()["jobs"] == [], "nothing was made silently"

    accepted = await world.http.post("/api/jobs/motion-clip", json=preview["fallback"]["request"])
    assert accepted.status_code == 202, accepted.text
    job = await world.job(accepted.json()["job_id"])
    assert job["settings_json"]["chain"] == "txt2img > video_render"


async def test_a_backend_that_is_turned_on_is_there_without_a_restart(world: World) -> None:
    await _on_board(world, _without_deforum())
    await _on_board(world, webui())
    accepted = await world.http.post("/api/jobs/motion-clip", json=CHAIN_C)
    assert accepted.status_code == 202, accepted.text
    job_id = accepted.json()["job_id"]
    submitted = (await world.buses["gateway"].job(job_id)).state.submitted
    assert isinstance(submitted, JobSubmitted)
    assert [stage.kind for stage in submitted.plan.stages] == [
        "txt2img",
        "video_frames",
        "video_render",
    ]
    assert (await world.job(job_id))["mode"] == "motion_clip"


async def test_attached_stills_need_no_engine(world: World) -> None:
    picture = photo(world.state_dir / "a.png", size=Size(64, 96), format="PNG").read_bytes()
    asset_id = await world.ready_asset("image", picture, "a.png", IMAGE_FACTS)
    body = {"still_asset_ids": [asset_id], "render": {"container": "gif", "camera_motion": "zoom"}}
    accepted = await world.http.post("/api/jobs/motion-clip", json=body)
    assert accepted.status_code == 202, accepted.text
    job = await world.job(accepted.json()["job_id"])
    assert job["settings_json"]["delivered_file"] == "video.gif"
    assert job["video_mime_type"] is None
    assert (job["delivery"]["frames"], job["workflow_template"]) == (48, None)


async def test_an_illegal_chain_and_unknown_fields_are_422(world: World) -> None:
    for stages, code in (
        ([RENDER, STILL], "chain_illegal"),
        ([{"kind": "blender"}], "body_invalid"),
        ([{**STILL, "wizardry": 1}, RENDER], "body_invalid"),
    ):
        body: dict[str, Any] = {"prompt": "a lake", "stages": stages}
        answer = await world.http.post("/api/jobs/motion-clip", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        assert "fallback" not in answer.json()


async def test_prompt_packs_are_listed_with_their_video_defaults(world: World) -> None:
    packs = (await world.http.get("/api/prompt-packs")).json()["packs"]
    told = {pack["name"]: pack for pack in packs}
    assert told["paper_city"]["video"]["frames"]["backend"] == "animatediff"
    assert told["lake_dawn"]["video"]["render"]["camera_motion"] == "zoom"
    assert all(pack["prompt"] and pack["sha256"] and pack["version"] for pack in packs)


async def test_capabilities_say_exactly_what_a_backend_lacks(world: World) -> None:
    await _on_board(world, _without_deforum())
    told = (await world.http.get("/api/capabilities")).json()["motion_clip"]
    assert {b["name"]: b["available"] for b in told["backends"]} == {
        "webui_animatediff": True,
        "webui_deforum": False,
    }
    assert {s["name"]: s["available"] for s in told["stages"]} == {
        "txt2img": True,
        "img2img": True,
        "upscale": True,
        "video_render": True,
    }


async def test_an_operator_has_the_engines_looked_at_again(world: World) -> None:
    await _on_board(world, webui())
    board = EngineBoard(world.buses["executor"])
    before = await board.refresh_asked()
    answer = await world.http.post("/api/admin/capabilities/refresh")
    assert (answer.status_code, answer.json()) == (202, {"engines": ["webui-0"]})
    assert await board.refresh_asked() != before
