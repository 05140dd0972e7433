"""What people keep to use again: characters with their versions, and styles, own and shared."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.ids import new_id
from services.gateway.access.caller import Caller, with_lower
from services.gateway.adapters.db.engine import open_database
from services.gateway.adapters.db.library import Presets
from services.gateway.routes import presets as preset_routes
from tests.support.gateway import IMAGE_FACTS, World
from tests.support.media import photo, tone


@pytest.fixture
def png(tmp_path: Any) -> bytes:
    return photo(tmp_path / "photo.png").read_bytes()


async def picture(world: World, data: bytes) -> str:
    return await world.ready_asset("image", data, "hero.png", IMAGE_FACTS)


async def test_a_saved_character_is_listed_with_everything_it_consists_of(
    world: World, png: bytes
) -> None:
    hero, look, poses = [await picture(world, png) for _ in range(3)]
    body = {
        "name": "  Mira ",
        "ground_truth_asset_id": hero,
        "crop": {"x_px": 1, "y_px": 2, "width_px": 300, "height_px": 400},
        "reference_asset_ids": [look],
        "pose_sheet_asset_ids": [poses],
    }
    saved = await world.http.post("/api/characters", json=body)
    assert saved.status_code == 201
    found = (await world.http.get(saved.headers["location"])).json()
    assert {**body, "name": "Mira"}.items() <= found.items()
    assert (found["version"], found["newest_version"]) == (1, 1)
    assert (await world.http.get("/api/characters")).json()["characters"] == [found]
    assert (await world.http.get(found["thumbnail_url"])).status_code == 200


async def test_every_change_is_a_version_and_earlier_ones_stay(world: World, png: bytes) -> None:
    first, second = await picture(world, png), await picture(world, png)
    path = (
        await world.http.post(
            "/api/characters", json={"name": "Mira", "ground_truth_asset_id": first}
        )
    ).headers["location"]
    changed = await world.http.put(path, json={"name": "Mira II", "ground_truth_asset_id": second})
    assert changed.json()["version"] == 2
    earlier = (await world.http.get(path, params={"version": 1})).json()
    assert earlier["ground_truth_asset_id"] == first
    assert earlier["newest_version"] == 2
    [listed] = (await world.http.get("/api/characters")).json()["characters"]
    assert (listed["name"], listed["ground_truth_asset_id"]) == ("Mira II", second)
    assert (await world.http.get(path, params={"version": 3})).status_code == 404

    assert (await world.http.delete(path)).status_code == 204
    assert (await world.http.get(path)).status_code == 404
    assert (await world.http.get(f"/api/assets/{first}")).status_code == 200


async def test_a_character_of_files_that_are_no_pictures_is_refused(
    world: World, png: bytes, tmp_path: Any
) -> None:
    hero = await picture(world, png)
    sound = tone(tmp_path / "a.wav", duration_s=0.5).read_bytes()
    spoken = (await world.upload("audio", sound, "a.wav")).json()["asset_id"]
    for change, code, field in (
        ({"ground_truth_asset_id": spoken}, "asset_wrong_kind", "ground_truth_asset_id"),
        ({"reference_asset_ids": [new_id()]}, "asset_unknown", "reference_asset_ids"),
        ({"name": "   "}, "body_invalid", "name"),
        ({"mood": "happy"}, "body_invalid", "mood"),
    ):
        body = {"name": "Mira", "ground_truth_asset_id": hero, **change}
        problem = (await world.http.post("/api/characters", json=body)).json()
        assert (problem["code"], problem["errors"][0]["field"]) == (code, field)
    assert (await world.http.get("/api/characters")).json()["characters"] == []


@pytest.mark.parametrize("path", ["/api/characters", "/api/presets"])
async def test_a_name_is_given_once(world: World, png: bytes, path: str) -> None:
    body: dict[str, Any] = {"name": "Mira"}
    if path == "/api/characters":
        body["ground_truth_asset_id"] = await picture(world, png)
    else:
        body["style"] = {}
    assert (await world.http.post(path, json=body)).status_code == 201
    again = await world.http.post(path, json=body)
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "name")


async def test_a_preset_comes_back_as_it_was_saved_and_can_be_changed(world: World) -> None:
    style = {"keywords": ["rain", "neon"], "aspect_ratio": "16:9", "quality_profile": "high"}
    body = {"name": "Noir", "shared": True, "style": style}
    saved = await world.http.post("/api/presets", json=body)
    assert saved.status_code == 201
    [listed] = (await world.http.get("/api/presets")).json()["presets"]
    assert style.items() <= listed["style"].items()
    assert (listed["shared"], listed["own"]) == (True, True)
    path = saved.headers["location"]
    changed = await world.http.put(path, json={**body, "shared": False, "style": {}})
    assert changed.json()["style"]["keywords"] == []
    assert (await world.http.delete(path)).status_code == 204
    assert (await world.http.delete(path)).status_code == 404


async def test_others_see_what_is_shared_but_cannot_change_it(world: World) -> None:
    for name, shared in (("Noir", True), ("Secret", False)):
        body = {"name": name, "shared": shared, "style": {}}
        assert (await world.http.post("/api/presets", json=body)).status_code == 201
    database = open_database(f"sqlite+aiosqlite:///{world.state_dir}/gateway.sqlite3")
    presets = Presets(database)
    stranger = Caller("someone else", with_lower(["creator"]), "key")
    seen = await presets.list(stranger.owner)
    assert [row["name"] for row in seen] == ["Noir"]
    assert not preset_routes._view(seen[0], stranger).own
    await database.close()
