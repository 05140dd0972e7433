"""Backup and restore as docs/operations.md says, onto a machine that has nothing.

The read model is not in the backup: it comes back from the streams.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.system import ended, running_system, submit, upload
from tests.support.waiting import eventually

KEY = {"Idempotency-Key": "kept-over-the-restore"}


def back_up(var: Path, backup: Path) -> None:
    """Streams first, then what is owned in the database, then the media."""
    shutil.copytree(var / "nats" / "store", backup / "store")
    dropped = 0
    (database,) = (var / "state").glob("*.sqlite3")
    with (
        sqlite3.connect(database) as source,
        sqlite3.connect(backup / database.name) as copy,
    ):
        source.backup(copy)
        tables = copy.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in tables:
            if name.startswith("read_"):
                copy.execute(f'drop table "{name}"')
                dropped += 1
    assert dropped
    shutil.copytree(var / "media", backup / "media")


def restore(backup: Path, var: Path) -> None:
    """The other way round: media, streams, database."""
    shutil.copytree(backup / "media", var / "media")
    shutil.copytree(backup / "store", var / "nats" / "store")
    (var / "state").mkdir()
    for database in backup.glob("*.sqlite3"):
        shutil.copy2(database, var / "state" / database.name)


@pytest.mark.timeout(180)
async def test_a_restored_backup_has_every_job_video_and_idempotency_key(
    tmp_path: Path, hero: Path, speech: Path
) -> None:
    old, new, backup = tmp_path / "old", tmp_path / "new", tmp_path / "backup"
    backup.mkdir()
    env = {"COMFYUI_SIMULATOR_SPEED": "0", "ANIMATRIX_GATEWAY_SIZE_OVERRIDE": "64x64"}
    with running_system(old, **env) as system:
        async with system.http() as http:
            body = {
                "prompt": "she speaks",
                "ground_truth_asset_id": await upload(http, "image", hero),
                "audio_asset_id": await upload(http, "audio", speech),
                "quality_profile": "draft",
            }
            sent = await http.post("/api/jobs/audio-performance", json=body, headers=KEY)
            job = sent.json()["job_id"]
            other = await submit(http, "audio-performance", {**body, "seed": 4})
            before = [await ended(http, job), await ended(http, other)]
            listed = (await http.get("/api/jobs")).json()["jobs"]
            outputs = (await http.get(f"/api/jobs/{job}/outputs")).json()
            video = (await http.get(outputs["video_url"])).content
        assert system.stop() == 0
    back_up(old, backup)
    shutil.rmtree(old)
    new.mkdir()
    restore(backup, new)
    with running_system(new, **env) as system:
        async with system.http() as http:

            async def all_back() -> bool:
                found = (await http.get("/api/jobs")).json()["jobs"]
                return bool(found == listed)

            await eventually(all_back)
            assert [(await http.get(f"/api/jobs/{j}")).json() for j in (job, other)] == before
            assert (await http.get(f"/api/jobs/{job}/outputs")).json() == outputs
            assert (await http.get(outputs["video_url"])).content == video
            again = await http.post("/api/jobs/audio-performance", json=body, headers=KEY)
            assert again.json()["job_id"] == job
