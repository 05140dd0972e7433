"""Results in, verified files out: real FFmpeg, a real folder, no bus."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from contracts.base import StoredFile, sha256_hex
from contracts.errors import ErrorCode
from contracts.events import JobOutputs
from runtime.delivery_facts import inspect_delivery
from runtime.media_store_local import LocalMediaStore
from services.collector.collection import Making, collect
from services.collector.faults import ResultFault
from services.collector.manifest import DebugMetadata, JobManifest
from services.collector.storing import Collected
from services.collector.verification import foreign_tags
from tests.collector.scene import (
    FPS,
    SECRET_PROMPT,
    SIZE,
    Clip,
    Left,
    Order,
    finished,
    leave,
    rewrite,
)
from tests.support.media import Film, Size, counter_video, read_counter, tone, watch

ONE_FRAME_S = 1 / FPS


async def run(media: LocalMediaStore, left: Left) -> Collected:
    with tempfile.TemporaryDirectory() as folder:
        return await collect(
            finished(left).model_copy(update={"occurred_at": "2026-01-02T03:04:05Z"}),
            media,
            Path(folder),
            Making(60, "animatrix test"),
        )


async def refused(media: LocalMediaStore, left: Left) -> ResultFault:
    with pytest.raises(ResultFault) as fault:
        await run(media, left)
    stored = [key async for key in media.keys(f"jobs/{left.report.job_id}/outputs")]
    assert stored == []
    return fault.value


async def film(media: LocalMediaStore, file: StoredFile) -> Film:
    async with media.local_path(file.key) as path:
        return watch(path)


def every_file(outputs: JobOutputs) -> list[StoredFile]:
    return [value for _, value in outputs if isinstance(value, StoredFile)]


async def test_one_segment_is_delivered_frame_for_frame(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(33, (33,)), [Clip(range(33))])
    outputs = (await run(media_store, left)).outputs
    assert (await film(media_store, outputs.video)).counters(SIZE) == list(range(33))
    async with media_store.local_path(outputs.video.key) as path:
        facts = await inspect_delivery(path)
    assert (facts.codec, facts.pix_fmt, facts.frames) == ("h264", "yuv420p", 33)
    assert facts.rate == FPS
    assert facts.faststart
    assert foreign_tags(facts.metadata) == ()
    assert not outputs.has_audio


async def test_a_video_in_which_nothing_moves_is_delivered(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(33, (33,)), [Clip([5] * 33)])
    outputs = (await run(media_store, left)).outputs
    assert (await film(media_store, outputs.video)).counters(SIZE) == [5] * 33


async def test_segments_are_joined_without_a_lost_or_doubled_frame(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    clips = [Clip(range(33)), Clip(range(33, 61)), Clip(range(61, 89))]
    left = await leave(media_store, tmp_path, Order(89, (33, 28, 28)), clips)
    outputs = (await run(media_store, left)).outputs
    joined = await film(media_store, outputs.video)
    assert joined.counters(SIZE) == list(range(89))
    assert joined.times_s == pytest.approx([n / FPS for n in range(89)], abs=1e-6)
    debug = DebugMetadata.model_validate_json(
        await media_store.read_bytes(outputs.debug_metadata.key)
    )
    assert debug.recoded == {"video": None}


async def test_pictures_that_an_engine_saved_beside_sound_are_kept_as_they_are(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    sound = tone(tmp_path / "sound.flac", duration_s=41 / FPS, codec="flac")
    clips = [Clip(range(21), sound=True), Clip(range(21, 41), sound=True)]
    left = await leave(media_store, tmp_path, Order(41, (21, 20), soundtrack=sound), clips)
    outputs = (await run(media_store, left)).outputs
    debug = json.loads(await media_store.read_bytes(outputs.debug_metadata.key))
    assert debug["recoded"] == {"video": None}
    assert (await film(media_store, outputs.video)).counters(SIZE) == list(range(41))


async def test_overlapping_frames_are_skipped_and_surplus_ones_fall_away(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    clips = [Clip(range(33)), Clip(range(28, 61)), Clip(range(56, 89))]
    order = Order(80, (33, 33, 33), skip_frames=(0, 5, 5))
    left = await leave(media_store, tmp_path, order, clips)
    outputs = (await run(media_store, left)).outputs
    assert (await film(media_store, outputs.video)).counters(SIZE) == list(range(80))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"pix_fmt": "yuv444p"}, id="yuv444p"),
        pytest.param({"codec": "mpeg4", "options": (("qscale", "2"),)}, id="mpeg4"),
        pytest.param(
            {"options": (("crf", "14"), ("x264-params", "interlaced=1"))}, id="interlaced"
        ),
        pytest.param({"options": (("crf", "14"), ("profile", "baseline"))}, id="other settings"),
    ],
)
async def test_what_cannot_be_copied_exactly_is_coded_anew(
    media_store: LocalMediaStore, tmp_path: Path, odd: dict[str, Any]
) -> None:
    clips = [Clip(range(20)), replace(Clip(range(20, 40)), **odd)]
    left = await leave(media_store, tmp_path, Order(40, (20, 20)), clips)
    outputs = (await run(media_store, left)).outputs
    assert (await film(media_store, outputs.video)).counters(SIZE) == list(range(40))
    debug = json.loads(await media_store.read_bytes(outputs.debug_metadata.key))
    assert debug["recoded"]["video"]


async def test_segments_that_begin_late_by_their_own_clock_are_joined_without_a_gap(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    clips = [Clip(range(20), start=3), Clip(range(20, 40), start=7)]
    left = await leave(media_store, tmp_path, Order(40, (20, 20)), clips)
    outputs = (await run(media_store, left)).outputs
    joined = await film(media_store, outputs.video)
    assert joined.counters(SIZE) == list(range(40))
    assert joined.times_s == pytest.approx([n / FPS for n in range(40)], abs=1e-6)


@pytest.mark.parametrize(
    ("clip", "why"),
    [
        (Clip(range(32)), "32 frames instead of 33"),
        (Clip(range(33), size=Size(96, 80)), "96x80 instead of 96x64"),
        (Clip(range(33), fps=25), "25 frames per second instead of 16"),
        (Clip(range(33), stretched=True), "a rate that varies"),
    ],
)
async def test_a_segment_that_is_not_as_ordered_is_refused(
    media_store: LocalMediaStore, tmp_path: Path, clip: Clip, why: str
) -> None:
    left = await leave(media_store, tmp_path, Order(33, (33,)), [clip])
    fault = await refused(media_store, left)
    assert (fault.code, fault.step) == (ErrorCode.RESULT_INVALID, 0)
    assert why in fault.detail


@pytest.mark.parametrize("keep", [0.3, 0.97])
async def test_a_truncated_segment_is_refused(
    media_store: LocalMediaStore, tmp_path: Path, keep: float
) -> None:
    left = await leave(media_store, tmp_path, Order(33, (33,)), [Clip(range(33))])
    result = left.report.results[0]
    data = await media_store.read_bytes(result.outputs[0].file.key)
    short = await media_store.put_bytes(result.outputs[0].file.key, data[: int(len(data) * keep)])
    output = result.outputs[0].model_copy(update={"file": short})
    left = await rewrite(
        media_store, left, results=(result.model_copy(update={"outputs": (output,)}),)
    )
    assert (await refused(media_store, left)).code == ErrorCode.RESULT_INVALID


async def test_pictures_that_do_not_decode_are_refused_at_the_step_that_made_them(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    # Every packet is there and in time: only decoding shows it.
    left = await leave(media_store, tmp_path, Order(66, (33, 33)), [Clip(range(33))] * 2)
    result = left.report.results[1]
    key = result.outputs[0].file.key
    data = bytearray(await media_store.read_bytes(key))
    start = data.index(b"mdat")
    middle = start + int.from_bytes(data[start - 4 : start]) // 2
    data[middle : middle + 100] = bytes(100)
    file = await media_store.put_bytes(key, bytes(data))
    output = result.outputs[0].model_copy(update={"file": file})
    broken = result.model_copy(update={"outputs": (output,)})
    left = await rewrite(media_store, left, results=(left.report.results[0], broken))
    fault = await refused(media_store, left)
    assert (fault.code, fault.step) == (ErrorCode.RESULT_INVALID, 1)
    assert "decoded" in fault.detail


async def test_an_altered_output_is_refused_by_its_hash(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(33, (33,)), [Clip(range(33))])
    file = left.report.results[0].outputs[0].file
    data = bytearray(await media_store.read_bytes(file.key))
    data[-1] ^= 1
    await media_store.put_bytes(file.key, bytes(data))
    fault = await refused(media_store, left)
    assert fault.code == ErrorCode.RESULT_INVALID
    assert file.sha256 in fault.detail


async def test_an_absent_output_is_result_missing(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(33, (33,)), [Clip(range(33))])
    await media_store.delete(left.report.results[0].outputs[0].file.key)
    assert (await refused(media_store, left)).code == ErrorCode.RESULT_MISSING


async def test_flash_and_beep_stay_within_one_frame(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    sound = tone(
        tmp_path / "sound.flac",
        duration_s=89 / FPS,
        sample_rate_hz=16_000,
        beep_s=(70 / FPS, 71 / FPS),
        codec="flac",
    )
    clips = [Clip(range(33)), Clip(range(33, 61)), Clip(range(61, 89), flash=70)]
    left = await leave(media_store, tmp_path, Order(89, (33, 28, 28), soundtrack=sound), clips)
    outputs = (await run(media_store, left)).outputs
    delivered = await film(media_store, outputs.video)
    assert outputs.has_audio
    assert delivered.flash_s() == pytest.approx(70 / FPS, abs=1e-6)
    assert abs(delivered.flash_s() - delivered.beep_s()) <= ONE_FRAME_S
    length_s = delivered.sound_start_s + len(delivered.sound) / delivered.sample_rate_hz
    assert abs(length_s - 89 / FPS) <= ONE_FRAME_S


@pytest.mark.parametrize("duration_s", [0.7, 9.0])
async def test_sound_is_padded_or_cut_to_the_length_of_the_pictures(
    media_store: LocalMediaStore, tmp_path: Path, duration_s: float
) -> None:
    sound = tone(tmp_path / "sound.wav", duration_s=duration_s)
    order = Order(33, (33,), soundtrack=sound)
    left = await leave(media_store, tmp_path, order, [Clip(range(33))])
    outputs = (await run(media_store, left)).outputs
    async with media_store.local_path(outputs.video.key) as path:
        facts = await inspect_delivery(path)
    assert facts.audio is not None
    assert (facts.audio.codec, facts.audio.sample_rate_hz) == ("aac", 48_000)
    assert facts.audio.duration_s == pytest.approx(33 / FPS, abs=0.03)


async def test_a_soundtrack_without_sound_is_refused(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:

    mute = counter_video(tmp_path / "mute.mp4", frames=10)
    left = await leave(media_store, tmp_path, Order(33, (33,), soundtrack=mute), [Clip(range(33))])
    assert (await refused(media_store, left)).code == ErrorCode.RESULT_INVALID


async def test_prompt_and_graph_are_gone_from_every_delivered_picture_and_video(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    order = Order(20, (20,), pose_preview=True)
    clips, poses = [Clip(range(20))], [Clip(range(20), size=Size(64, 64))]
    left = await leave(media_store, tmp_path, order, clips, poses=poses)
    source = await media_store.read_bytes(left.report.results[0].outputs[0].file.key)
    assert SECRET_PROMPT.encode() in source
    outputs = (await run(media_store, left)).outputs
    assert outputs.pose_preview is not None
    for file in (
        outputs.video,
        outputs.poster,
        outputs.first_frame,
        outputs.preview,
        outputs.pose_preview,
    ):
        data = await media_store.read_bytes(file.key)
        for trace in (SECRET_PROMPT.encode(), b"class_type", b"x264", b"Lavf", b"Lavc"):
            assert trace not in data, (file.key, trace)


async def test_pose_preview_is_joined_and_verified_too(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    order, size = Order(40, (20, 20), pose_preview=True), Size(64, 64)
    clips = [Clip(range(20)), Clip(range(20, 40))]
    poses = [Clip(range(20), size=size), Clip(range(20, 40), size=size)]
    left = await leave(media_store, tmp_path, order, clips, poses=poses)
    outputs = (await run(media_store, left)).outputs
    assert outputs.pose_preview is not None
    assert (await film(media_store, outputs.pose_preview)).counters(size) == list(range(40))
    short = [poses[0], Clip(range(20, 39), size=size)]
    left = await leave(media_store, tmp_path, order, clips, poses=short)
    with pytest.raises(ResultFault, match="19 frames instead of 20"):
        await run(media_store, left)


async def test_pictures_show_the_right_frames(media_store: LocalMediaStore, tmp_path: Path) -> None:
    left = await leave(media_store, tmp_path, Order(80, (80,)), [Clip(range(80))])
    outputs = (await run(media_store, left)).outputs
    for file, number in ((outputs.first_frame, 0), (outputs.poster, 40)):
        async with media_store.local_path(file.key) as path:
            assert _counter_of(path) == number
    async with media_store.local_path(outputs.preview.key) as path:
        assert _preview_of(path) == ("WEBP", (SIZE.width, SIZE.height), 32, 125)


async def test_a_video_that_stands_still_completes(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(49, (49,)), [Clip([7] * 49)])
    outputs = (await run(media_store, left)).outputs
    assert (await film(media_store, outputs.video)).counters(SIZE) == [7] * 49


def _preview_of(path: Path) -> tuple[str | None, tuple[int, int], int, int]:
    with Image.open(path) as preview:
        frames: int = getattr(preview, "n_frames", 1)
        preview.seek(1)
        preview.load()
        return preview.format, preview.size, frames, preview.info["duration"]


def _counter_of(path: Path) -> int:

    with Image.open(path) as picture:
        return read_counter(np.asarray(picture.convert("L")), SIZE)


async def test_hashes_in_the_manifest_match_the_files(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    left = await leave(media_store, tmp_path, Order(20, (20,)), [Clip(range(20))])
    collected = await run(media_store, left)
    outputs = collected.outputs
    manifest = JobManifest.model_validate_json(await media_store.read_bytes(outputs.manifest.key))
    told = {file.key: file for file in manifest.files}
    for file in every_file(outputs):
        data = await media_store.read_bytes(file.key)
        assert (file.sha256, file.size_bytes) == (sha256_hex(data), len(data))
        if file != outputs.manifest:
            assert (told[file.key].sha256, told[file.key].size_bytes) == (
                file.sha256,
                file.size_bytes,
            )
    assert manifest.render_sha256 == manifest.delivered_sha256 == outputs.video.sha256
    assert manifest.prompt == SECRET_PROMPT
    assert manifest.workflows[0].version == "1.0.0"
    assert manifest.steps[0].engine_id == "comfyui-0"
    assert manifest.simulated is collected.simulated is True


async def test_collecting_again_gives_the_same_bytes(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    sound = tone(tmp_path / "sound.wav")
    order = Order(50, (33, 22), skip_frames=(0, 5), soundtrack=sound)
    left = await leave(media_store, tmp_path, order, [Clip(range(33)), Clip(range(28, 50))])
    first, second = await run(media_store, left), await run(media_store, left)
    assert first == second
