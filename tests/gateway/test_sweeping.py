"""The sweep removes what nobody names, after its grace age, and never what somebody names."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.events import JobDeleted
from runtime.ids import new_id
from runtime.stamp import stamp
from services.gateway.adapters.db.engine import Database
from services.gateway.adapters.db.migrate import migrate
from services.gateway.adapters.db.naming import Named
from services.gateway.sweeper import Sweeper
from services.gateway.sweeping import Grounds, SweepRefused, sweep
from tests.gateway.test_projection import database_of, projected
from tests.support.gateway import IMAGE_FACTS, World, whole_job
from tests.support.media import Size, photo
from tests.support.waiting import eventually

GRACE_S = 3600.0
ORPHANED = "0" * 64


def age(path: Path, by_s: float = 2 * GRACE_S) -> None:
    """Make a file look as if it was written long ago."""
    then = time.time() - by_s
    os.utime(path, (then, then))


async def old(world: World, key: str, data: bytes = b"old") -> Path:
    """A file of the media store that was written long ago."""
    await world.media.put_bytes(key, data)
    async with world.media.local_path(key) as path:
        age(path)
        return path


@pytest_asyncio.fixture
async def database(world: World) -> AsyncIterator[Database]:
    """The gateway's own."""
    opened = database_of(world.state_dir)
    yield opened
    await opened.close()


async def grounds_of(world: World, database: Database, *engine_folders: Path) -> Grounds:
    """What the gateway's own sweep works on, once its read model is complete."""
    bus = world.buses["gateway"]
    for stream in ("JOBS", "ASSETS"):
        head = (await bus.stream_state(stream)).last_sequence
        if head:
            await eventually(partial(projected, database, stream, head))
    return Grounds(bus, world.media, Named(database), world.state_dir / "uploads", engine_folders)


async def kept(world: World) -> set[str]:
    return {
        key
        for family in ("assets", "derivatives", "jobs", "engines")
        async for key in world.media.keys(family)
    }


async def test_orphans_go_after_their_grace_age_and_what_is_named_stays(
    world: World, database: Database, tmp_path: Path
) -> None:
    picture = photo(tmp_path / "a.png", size=Size(64, 64), format="PNG").read_bytes()
    asset_id = await world.ready_asset("image", picture, "a.png", IMAGE_FACTS)
    sha256 = (await world.http.get(f"/api/assets/{asset_id}")).json()["sha256"]
    job_id = await world.completed_job()
    named = await kept(world)
    named |= {f"derivatives/{sha256}/r/media.png", f"jobs/{job_id}/steps/0/graph.json"}
    named |= {"engines/abc.json"}
    for key in sorted(named):
        await old(
            world, key, await world.media.read_bytes(key) if key in await kept(world) else b"x"
        )
    unknown = new_id()
    orphans = {
        f"assets/{ORPHANED}/original.png",
        f"derivatives/{ORPHANED}/r/media.png",
        f"jobs/{unknown}/record.json",
    }
    for key in orphans:
        await old(world, key)
    young = f"assets/{'1' * 64}/original.png"
    await world.media.put_bytes(young, b"young")
    grounds = await grounds_of(world, database)
    shown = await sweep(grounds, GRACE_S, dry_run=True)
    assert {orphan.name for orphan in shown.orphans} == orphans
    assert await kept(world) == named | orphans | {young}
    done = await sweep(grounds, GRACE_S, dry_run=False)
    assert {orphan.name for orphan in done.orphans} == orphans
    assert done.young == 1
    assert await kept(world) == named | {young}


async def test_files_of_a_deleted_job_go_though_the_deletion_died_halfway(
    world: World, database: Database
) -> None:
    job_id = await world.completed_job()
    await world.say(JobDeleted(**stamp(None), job_id=job_id, requested_by="local"))
    for key in await kept(world):
        await old(world, key)
    done = await sweep(await grounds_of(world, database), GRACE_S, dry_run=False)
    assert len(done.orphans) == 6
    assert await kept(world) == set()


async def test_media_that_a_job_names_stay_though_no_asset_has_them(
    world: World, database: Database
) -> None:
    job_id = new_id()
    submitted = whole_job(job_id)[0]
    await world.say(submitted)
    sha256 = submitted.plan.media[0].asset_sha256
    await old(world, f"assets/{sha256}/original.png")
    await old(world, f"derivatives/{sha256}/r/media.png")
    done = await sweep(await grounds_of(world, database), GRACE_S, dry_run=False)
    assert done.orphans == []
    assert len(await kept(world)) == 2


async def test_nothing_is_swept_while_the_read_model_is_behind(
    world: World, database: Database, tmp_path: Path
) -> None:
    await old(world, f"assets/{ORPHANED}/original.png")
    await world.say(whole_job(new_id())[0])
    behind = database_of(tmp_path / "other")
    await migrate(behind)
    grounds = replace(await grounds_of(world, database), named=Named(behind))
    with pytest.raises(SweepRefused, match="behind JOBS"):
        await sweep(grounds, GRACE_S, dry_run=False)
    assert len(await kept(world)) == 1
    await behind.close()


async def test_the_sweep_by_itself_does_not_empty_a_store_that_belongs_to_other_streams(
    world: World,
    database: Database,
) -> None:
    for number in range(60):
        await old(world, f"assets/{number:064x}/original.png")
    grounds = await grounds_of(world, database)
    sweeper = Sweeper(grounds, "tests", every_s=0, grace_s=GRACE_S)
    await sweeper.sweep_once()
    assert len(await kept(world)) == 60
    assert len((await sweep(grounds, GRACE_S, dry_run=False)).orphans) == 60


async def test_the_sweep_by_itself_removes_a_few_orphans(world: World, database: Database) -> None:
    await old(world, f"assets/{ORPHANED}/original.png")
    sweeper = Sweeper(await grounds_of(world, database), "tests", every_s=0, grace_s=GRACE_S)
    await sweeper.sweep_once()
    assert await kept(world) == set()


async def test_half_uploads_and_half_written_files_go(world: World, database: Database) -> None:
    part, staged = world.state_dir / "uploads" / "a.part", world.media._root / ".staging" / "b"
    fresh = world.state_dir / "uploads" / "c.part"
    for path in (part, staged, fresh):
        path.write_bytes(b"half")
    age(part)
    age(staged)
    done = await sweep(await grounds_of(world, database), GRACE_S, dry_run=False)
    assert {(o.place, Path(o.name).name) for o in done.orphans} == {
        ("uploads", "a.part"),
        ("unfinished", "b"),
    }
    assert [part.exists(), staged.exists(), fresh.exists()] == [False, False, True]


async def test_engine_folders_keep_what_live_jobs_need_and_what_is_not_ours(
    world: World, database: Database, tmp_path: Path
) -> None:
    live, ended = new_id(), await world.completed_job()
    prepared = whole_job(live)[1]
    await world.say(*whole_job(live)[:2])
    needed = prepared.prepared[0].file.sha256
    engine = tmp_path / "ComfyUI"
    stays = [
        f"input/animatrix/{needed}.png",
        "input/animatrix/notes.txt",
        "input/holiday.png",
        f"output/animatrix/{live}/s0-a1_00001_.mp4",
        "output/other_00001_.png",
    ]
    goes = [f"input/animatrix/{ORPHANED}.png", f"output/animatrix/{ended}/s0-a1_00001_.mp4"]
    for name in (*stays, *goes):
        (engine / name).parent.mkdir(parents=True, exist_ok=True)
        (engine / name).write_bytes(b"x")
        age(engine / name)
    done = await sweep(await grounds_of(world, database, engine), GRACE_S, dry_run=False)
    removed = {str(Path(o.name).relative_to(engine)) for o in done.orphans if o.place != "media"}
    assert removed == set(goes)
    assert all((engine / name).exists() for name in stays)
    assert not (engine / "output" / "animatrix" / ended).exists()


async def test_the_api_shows_before_it_removes(world: World) -> None:
    key = f"assets/{ORPHANED}/original.png"
    path = await old(world, key)
    age(path, 48 * 3600)
    shown = await world.http.post("/api/admin/gc", json={})
    assert shown.status_code == 200, shown.text
    assert shown.json()["orphans"] == [{"place": "media", "name": key, "size_bytes": 3}]
    assert path.exists()
    done = await world.http.post("/api/admin/gc", json={"dry_run": False})
    assert (done.json()["count"], done.json()["dry_run"]) == (1, False)
    assert not path.exists()
    for order in ({"grace_hours": 0}, {"surprise": 1}):
        assert (await world.http.post("/api/admin/gc", json=order)).status_code == 422
