"""What the engine receives and what is delivered, frame by frame (29.97 fps, flash and beep)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import httpx

from tests.support.media import Size, counter_video, watch
from tests.support.system import System, ended, submit, upload

SOURCE = Size(640, 360)
FPS = Fraction(30000, 1001)
FLASH_FRAME = 45


async def test_a_29_97_video_reaches_the_engine_at_16_fps_and_stays_in_sync(
    system: System, http: httpx.AsyncClient, hero: Path, tmp_path: Path
) -> None:
    source = counter_video(
        tmp_path / "drive.mp4",
        fps=FPS,
        frames=120,
        size=SOURCE,
        flash_frame=FLASH_FRAME,
        sound=True,
    )
    body = {
        "prompt": "she follows the beat",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", source),
        "animate_submode": "move",
        "quality_profile": "draft",
        "aspect_ratio": "16:9",
    }
    before = set((system.var / "simulator").rglob("*.mp4"))
    job_id = await submit(http, "animate", body)
    assert (await ended(http, job_id))["status"] == "completed"

    received = [p for p in (system.var / "simulator").rglob("input/**/*.mp4") if p not in before]
    assert len(received) == 1
    film = watch(received[0])
    gaps = {round(b - a, 4) for a, b in zip(film.times_s, film.times_s[1:], strict=False)}
    assert gaps == {round(1 / 16, 4)}
    counters = film.counters(SOURCE)
    assert (len(counters) - 1) % 4 == 0
    for index, counter in enumerate(counters):
        nearest = index / 16 * float(FPS)
        assert abs(counter - nearest) <= 1, (index, counter, nearest)

    outputs = (await http.get(f"/api/jobs/{job_id}/outputs")).json()
    video = tmp_path / "delivered.mp4"
    video.write_bytes((await http.get(outputs["video_url"])).content)
    delivered = watch(video)
    assert len(delivered.pictures) == len(counters)
    assert delivered.counters(SOURCE) == counters
    assert abs(delivered.flash_s() - delivered.beep_s()) <= 1 / 16
    assert abs(delivered.flash_s() - FLASH_FRAME / float(FPS)) <= 1 / 16
