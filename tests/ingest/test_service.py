"""Ingest on a real bus: uploads proved, jobs provided, refusals told, nothing done twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from contracts import keys
from contracts.errors import ErrorCode, error_info
from contracts.events import AssetReady, AssetRejected, JobCancelled, JobFailed, RetryRequested
from contracts.media import (
    AudioRecipe,
    CropBox,
    ImageFacts,
    ImageRecipe,
    MediaKind,
    PreparedMedia,
    VideoFacts,
    VideoRecipe,
    recipe_id,
)
from runtime.media_store_local import LocalMediaStore
from runtime.stamp import stamp
from tests.ingest.bench import Bench, job, order, running
from tests.support import hostile_media as hostile
from tests.support.bus import BusFactory
from tests.support.media import Size, counter_video, photo, tone, watch

STILL = ImageRecipe(width_px=96, height_px=160)
CLIP = VideoRecipe(width_px=96, height_px=160, fps=16, frames=17)
SOUND = AudioRecipe(sample_rate_hz=16_000, channels=1, duration_s=17 / 16)


@pytest_asyncio.fixture
async def bench(
    bus_factory: BusFactory, media_store: LocalMediaStore, tmp_path: Path
) -> AsyncIterator[Bench]:
    async with running(bus_factory, media_store, tmp_path / "state") as it:
        yield it


async def _prepared(bench: Bench, job_id: str) -> tuple[PreparedMedia, ...]:
    assert await bench.reaches(job_id, "uploaded", "failed") == "uploaded"
    state = (await bench.gateway.job(job_id)).state
    assert state.prepared is not None
    return state.prepared.prepared


async def test_sound_uploads_become_ready_with_facts_and_thumbnail(
    bench: Bench, tmp_path: Path
) -> None:
    upload = await bench.upload(
        photo(tmp_path / "a.jpg", size=Size(640, 480), orientation=6), "image"
    )
    said = await bench.examined(upload)
    assert isinstance(said, AssetReady)
    assert said.facts == ImageFacts(width_px=480, height_px=640, format="jpeg")
    assert said.causation_id == upload.event_id
    assert said.thumbnail.key == keys.asset_thumbnail(upload.file.sha256)
    async with bench.media.local_path(said.thumbnail.key) as path:
        assert Image.open(path).size == (384, 512)


@pytest.mark.parametrize(
    ("write", "kind", "code"),
    [
        (hostile.text_named, "image", ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.hls_playlist, "video", ErrorCode.FILE_FORBIDDEN),
        (hostile.zero_length_wav, "audio", ErrorCode.FILE_EMPTY),
        (hostile.huge_png, "image", ErrorCode.FILE_TOO_MANY_PIXELS),
        (photo, "video", ErrorCode.FILE_CONTENT_MISMATCH),
    ],
)
async def test_unusable_uploads_are_rejected_with_the_exact_cause(
    bench: Bench, tmp_path: Path, write: Any, kind: MediaKind, code: ErrorCode
) -> None:
    said = await bench.examined(await bench.upload(write(tmp_path / "a.png"), kind))
    assert isinstance(said, AssetRejected)
    assert said.error.code == code
    assert said.error.sentence
    assert said.error.remedy
    assert said.error.detail


async def test_a_truncated_video_is_rejected(bench: Bench, tmp_path: Path) -> None:
    whole = counter_video(tmp_path / "whole.mp4")
    upload = await bench.upload(hostile.truncated(whole, tmp_path / "a.mp4"), "video")
    said = await bench.examined(upload)
    assert isinstance(said, AssetRejected)
    assert said.error.code == ErrorCode.FILE_UNDECODABLE


async def test_an_upload_told_twice_is_examined_once(bench: Bench, tmp_path: Path) -> None:
    upload = await bench.ready(photo(tmp_path / "a.png"), "image")
    await bench.gateway.publish(upload.model_copy(update={"filename": "again.png"}))
    await bench.idle()
    assert len((await bench.gateway.asset(upload.asset_id)).events) <= 3
    ready = [
        e for e in (await bench.gateway.asset(upload.asset_id)).events if isinstance(e, AssetReady)
    ]
    assert len(ready) == 1


async def test_every_ordered_medium_is_provided_exactly(bench: Bench, tmp_path: Path) -> None:
    image = await bench.ready(photo(tmp_path / "a.jpg", size=Size(300, 200)), "image")
    video = await bench.ready(
        counter_video(tmp_path / "a.mp4", fps=Fraction(30000, 1001), frames=60, sound=True),
        "video",
    )
    audio = await bench.ready(tone(tmp_path / "a.wav"), "audio")
    cropped = STILL.model_copy(
        update={"crop": CropBox(x_px=0, y_px=0, width_px=100, height_px=160)}
    )
    submitted = await bench.submit(
        order(image, "ground_truth", cropped),
        order(video, "motion_video", CLIP),
        order(audio, "audio", SOUND),
    )
    still, clip, sound = await _prepared(bench, submitted.job_id)
    assert [m.role for m in (still, clip, sound)] == ["ground_truth", "motion_video", "audio"]
    assert still.recipe_id == recipe_id(cropped)
    assert isinstance(clip.facts, VideoFacts)
    assert (clip.facts.frames, clip.facts.fps_num, clip.facts.fps_den) == (17, 16, 1)
    assert clip.facts.has_audio
    assert sound.facts.kind == "audio"
    async with (
        bench.media.local_path(still.file.key) as path,
        bench.media.local_path(clip.file.key) as film,
    ):
        with Image.open(path) as picture:
            red, _, blue = picture.getpixel((48, 80))  # type: ignore[misc]
            assert picture.size == (96, 160)
        assert red > 200 > 60 > blue
        assert watch(film).counters(Size(320, 180))[:3] == [0, 2, 4]


async def test_a_second_job_reuses_what_the_first_one_made(bench: Bench, tmp_path: Path) -> None:
    video = await bench.ready(counter_video(tmp_path / "a.mp4", frames=40), "video")
    first = await bench.submit(order(video, "motion_video", CLIP))
    (made,) = await _prepared(bench, first.job_id)
    written = await bench.media.stat(made.file.key)
    again = await bench.ready(tmp_path / "a.mp4", "video")
    second = await bench.submit(order(again, "motion_video", CLIP))
    (reused,) = await _prepared(bench, second.job_id)
    assert (made.reused, reused.reused) == (False, True)
    assert reused.file == made.file
    assert await bench.media.stat(made.file.key) == written


async def test_jobs_at_the_same_time_make_a_derivative_once(bench: Bench, tmp_path: Path) -> None:
    video = await bench.ready(counter_video(tmp_path / "a.mp4", frames=40), "video")
    jobs = [await bench.submit(order(video, "motion_video", CLIP)) for _ in range(3)]
    media = [(await _prepared(bench, j.job_id))[0] for j in jobs]
    assert sorted(m.reused for m in media) == [False, True, True]
    assert len({m.file for m in media}) == 1


async def test_a_derivative_that_lost_its_file_is_made_again(bench: Bench, tmp_path: Path) -> None:
    image = await bench.ready(photo(tmp_path / "a.png"), "image")
    first = await bench.submit(order(image, "ground_truth", STILL))
    (made,) = await _prepared(bench, first.job_id)
    await bench.media.delete(made.file.key)
    second = await bench.submit(order(image, "ground_truth", STILL))
    (again,) = await _prepared(bench, second.job_id)
    assert not again.reused
    assert again.file == made.file


async def test_a_job_that_names_a_rejected_asset_fails_with_its_remedy(
    bench: Bench, tmp_path: Path
) -> None:
    upload = await bench.upload(hostile.text_named(tmp_path / "a.png"), "image")
    rejected = await bench.examined(upload)
    assert isinstance(rejected, AssetRejected)
    submitted = await bench.submit(order(upload, "ground_truth", STILL))
    assert await bench.reaches(submitted.job_id, "failed", "uploaded") == "failed"
    failed = (await bench.gateway.job(submitted.job_id)).state.failed
    assert failed is not None
    assert (failed.service, failed.error.code) == ("ingest", ErrorCode.ASSET_REJECTED)
    assert failed.error.remedy == rejected.error.remedy
    assert failed.error.field == "ground_truth"


async def test_a_job_whose_source_cannot_be_normalised_fails(bench: Bench, tmp_path: Path) -> None:
    image = await bench.ready(photo(tmp_path / "a.png"), "image")
    silent = await bench.ready(counter_video(tmp_path / "a.mp4", frames=20), "video")
    outside = STILL.model_copy(
        update={"crop": CropBox(x_px=500, y_px=0, width_px=10, height_px=10)}
    )
    late = CLIP.model_copy(update={"start_s": 600.0})
    for wanted, code in (
        (order(image, "ground_truth", outside), ErrorCode.CROP_OUTSIDE_IMAGE),
        (order(silent, "soundtrack", SOUND), ErrorCode.FILE_UNDECODABLE),
        (order(silent, "motion_video", late), ErrorCode.FILE_UNDECODABLE),
    ):
        submitted = await bench.submit(wanted)
        assert await bench.reaches(submitted.job_id, "failed", "uploaded") == "failed"
        failed = (await bench.gateway.job(submitted.job_id)).state.failed
        assert failed is not None
        assert failed.error.code == code


async def test_a_job_with_an_unknown_asset_fails(bench: Bench, tmp_path: Path) -> None:
    known = await bench.ready(photo(tmp_path / "a.png"), "image")
    unknown = order(known, "ground_truth", STILL).model_copy(update={"asset_id": job().job_id})
    submitted = await bench.submit(unknown)
    assert await bench.reaches(submitted.job_id, "failed", "uploaded") == "failed"
    failed = (await bench.gateway.job(submitted.job_id)).state.failed
    assert failed is not None
    assert failed.error.code == ErrorCode.ASSET_UNKNOWN


async def test_a_job_waits_for_an_asset_that_is_still_being_checked(
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANIMATRIX_INGEST_PROBE_DEADLINE_S", "5")
    async with running(bus_factory, media_store, tmp_path / "state") as bench:
        upload = await bench.upload(photo(tmp_path / "a.png"), "image")
        submitted = await bench.submit(order(upload, "ground_truth", STILL))
        await _prepared(bench, submitted.job_id)


async def test_a_retry_prepares_the_media_that_the_first_try_could_not(
    bench: Bench, tmp_path: Path
) -> None:
    image = await bench.ready(photo(tmp_path / "a.png"), "image")
    await bench.media.delete(image.file.key)
    submitted = await bench.submit(order(image, "ground_truth", STILL))
    assert await bench.reaches(submitted.job_id, "uploaded", "failed") == "failed"
    await bench.media.put_file(image.file.key, tmp_path / "a.png")
    await bench.gateway.publish(
        RetryRequested(
            **stamp(submitted), job_id=submitted.job_id, requested_by="operator", attempt=2
        )
    )
    assert await bench.reaches(submitted.job_id, "uploaded") == "uploaded"


async def test_a_cancelled_job_is_left_alone(
    bus_factory: BusFactory, media_store: LocalMediaStore, tmp_path: Path
) -> None:
    async with running(bus_factory, media_store, tmp_path / "before") as bench:
        image = await bench.ready(photo(tmp_path / "a.png"), "image")
    gateway = await bus_factory("gateway")
    submitted = job(order(image, "ground_truth", STILL))
    await gateway.publish(submitted)
    await gateway.publish(
        JobCancelled(**stamp(submitted), job_id=submitted.job_id, service="gateway")
    )
    async with running(bus_factory, media_store, tmp_path / "after") as bench:
        await bench.idle()
    events = (await gateway.job(submitted.job_id)).events
    assert [e.event for e in events] == ["job_submitted", "job_cancelled"]
    assert (
        await media_store.stat(keys.derivative_facts(image.file.sha256, recipe_id(STILL))) is None
    )


async def test_temporary_files_are_gone_when_the_work_is_done(bench: Bench, tmp_path: Path) -> None:
    video = await bench.ready(counter_video(tmp_path / "a.mp4", frames=40), "video")
    submitted = await bench.submit(order(video, "motion_video", CLIP))
    await _prepared(bench, submitted.job_id)
    await bench.idle()
    assert list(bench.work_dir.iterdir()) == []


async def test_a_retry_from_the_media_prepares_them_again(bench: Bench, tmp_path: Path) -> None:
    image = await bench.ready(photo(tmp_path / "a.png"), "image")
    submitted = await bench.submit(order(image, "ground_truth", STILL))
    (made,) = await _prepared(bench, submitted.job_id)
    failed = JobFailed(
        **stamp(submitted),
        job_id=submitted.job_id,
        service="ingest",
        error=error_info(ErrorCode.INTERNAL),
    )
    assert await bench.ingest.decide(submitted.job_id, lambda _: failed)
    await bench.media.delete(made.file.key)
    await bench.gateway.publish(
        RetryRequested(
            **stamp(failed),
            job_id=submitted.job_id,
            requested_by="operator",
            attempt=2,
            start="media",
        )
    )
    (again,) = await _prepared(bench, submitted.job_id)
    assert again.file == made.file
    assert await bench.media.stat(made.file.key) is not None
