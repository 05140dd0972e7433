"""An operator maps frames of a pose sheet to hints, and jobs say them in their prompt."""

from __future__ import annotations

from typing import Any

from contracts.events import JobSubmitted
from contracts.media import KeyPose
from tests.gateway.test_submitting import AUDIO_FACTS, PNG, WAV, animate_body
from tests.support.gateway import IMAGE_FACTS, World, board_with_engine

BOW = {"hint": "a deep bow", "frame": {"x_px": 0, "y_px": 0, "width_px": 300, "height_px": 400}}
LEAP = {"hint": "a leap", "frame": None}


async def sheet(world: World, name: str = "sheet") -> str:
    return await world.ready_asset("image", PNG + name.encode(), f"{name}.png", IMAGE_FACTS)


async def map_poses(world: World, asset_id: str, *poses: dict[str, Any]) -> Any:
    url = f"/api/admin/assets/{asset_id}/key-poses"
    return await world.http.put(url, json={"poses": list(poses)})


async def preview(world: World, **changes: Any) -> dict[str, Any]:
    body = {"mode": "animate", **await animate_body(world, **changes)}
    answer = (await world.http.post("/api/jobs/preview", json=body)).json()
    assert answer["ok"], answer
    plan: dict[str, Any] = answer["plan"]
    return plan


async def test_mapped_poses_are_said_in_the_prompt_and_marked_as_soft_guidance(
    world: World,
) -> None:
    await board_with_engine(world)
    first, second = await sheet(world, "one"), await sheet(world, "two")
    kept = (await map_poses(world, first, BOW, LEAP)).json()
    assert (kept["poses"], kept["mapped_by"]) == ([BOW, LEAP], "local")
    assert (await map_poses(world, second, {"hint": "a rest"})).status_code == 200

    body = await animate_body(world, pose_sheet_asset_ids=[second, first])
    answer = await world.http.post("/api/jobs/animate", json=body)
    assert answer.status_code == 202, answer.text
    job = await world.job(answer.json()["job_id"])
    assert job["settings_json"]["key_pose_hints"] == "a rest; a deep bow; a leap"
    assert job["settings_json"]["key_poses"] == "mapped by an operator: soft guidance"
    assert job["settings_json"]["pose_sheet"] == "soft guidance"

    events = (await world.buses["gateway"].job(job["job_id"])).events
    submitted = next(event for event in events if isinstance(event, JobSubmitted))
    assert "Key poses in order: a rest; a deep bow; a leap." in submitted.plan.resolved_prompt
    sheets = [use for use in submitted.plan.assets if use.role == "pose_sheet"]
    assert [use.used for use in sheets] == [False, False]
    assert sheets[1].key_poses == (KeyPose.model_validate(BOW), KeyPose.model_validate(LEAP))


async def test_hints_of_the_request_go_before_mapped_ones(world: World) -> None:
    await board_with_engine(world)
    asset_id = await sheet(world)
    await map_poses(world, asset_id, BOW)
    plan = await preview(world, pose_sheet_asset_ids=[asset_id], key_pose_hints=["a wave"])
    assert "Key poses in order: a wave." in plan["resolved_prompt"]
    assert "bow" not in plan["resolved_prompt"]
    assert "key_poses" not in plan["settings"]


async def test_a_mapping_is_replaced_and_taken_away(world: World) -> None:
    await board_with_engine(world)
    asset_id = await sheet(world)
    for poses in ((BOW,), (LEAP,), ()):
        assert (await map_poses(world, asset_id, *poses)).status_code == 200
        found = (await world.http.get(f"/api/admin/assets/{asset_id}/key-poses")).json()
        assert found["poses"] == list(poses)
    plan = await preview(world, pose_sheet_asset_ids=[asset_id])
    assert "The character takes a clear, distinct pose." in plan["resolved_prompt"]


async def test_more_mapped_poses_than_a_prompt_takes_are_cut_off(world: World) -> None:
    await board_with_engine(world)
    sheets = [await sheet(world, name) for name in ("one", "two")]
    for number, asset_id in enumerate(sheets):
        poses = [{"hint": f"pose {number}.{n}"} for n in range(5)]
        await map_poses(world, asset_id, *poses)
    plan = await preview(world, pose_sheet_asset_ids=sheets)
    assert plan["settings"]["key_pose_hints"].endswith("pose 1.2")


async def test_a_mapping_that_makes_no_sense_is_refused(world: World) -> None:
    asset_id = await sheet(world)
    outside = {**BOW, "frame": {"x_px": 700, "y_px": 0, "width_px": 300, "height_px": 10}}
    answer = await map_poses(world, asset_id, LEAP, outside)
    assert (answer.status_code, answer.json()["code"]) == (422, "crop_outside_image")
    assert answer.json()["errors"][0]["field"] == "poses.1.frame"
    sound = await world.ready_asset("audio", WAV, "a.wav", AUDIO_FACTS)
    assert (await map_poses(world, sound, LEAP)).json()["code"] == "asset_wrong_kind"
    assert (await map_poses(world, asset_id, *[LEAP] * 9)).json()["code"] == "body_invalid"
    assert (await map_poses(world, asset_id, {"hint": ""})).json()["code"] == "body_invalid"
    assert (await map_poses(world, "0" * 8, LEAP)).status_code == 404
    checking = (await world.upload("image", PNG + b"new", "new.png")).json()["asset_id"]
    assert (await map_poses(world, checking, LEAP)).json()["code"] == "asset_checking"
