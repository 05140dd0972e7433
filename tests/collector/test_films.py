"""Render stages: pictures in, one exact video out. Real FFmpeg, a real folder, no bus."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from contracts.base import StoredFile, sha256_hex
from contracts.errors import ErrorCode
from contracts.events import JobOutputs
from contracts.plan import PictureIndex
from runtime.delivery_facts import inspect_delivery
from runtime.media_store_local import LocalMediaStore
from services.collector.collection import Making, collect
from services.collector.faults import ResultFault
from services.collector.manifest import JobManifest
from services.collector.storing import Collected, stored_files
from tests.collector.chain import (
    FPS,
    SIZE,
    Chain,
    event_of,
    leave_chain,
    of_frames,
    of_stills,
    order_render,
    picture,
    render_stage,
)
from tests.collector.scene import SECRET_PROMPT, Clip, Order, leave
from tests.support.media import Film, Size, read_counter, tone, watch

CONTAINERS = ("mp4", "webm", "gif")
CODING_NOISE = 1
CODINGS = {"mp4": ("h264", "yuv420p"), "webm": ("vp9", "yuv420p"), "gif": ("gif", "bgra")}


async def run(media: LocalMediaStore, chain: Chain, tell: list[float] | None = None) -> Collected:
    told = tell if tell is not None else []
    left = await leave_chain(media, chain)
    with tempfile.TemporaryDirectory(prefix="per%cent-") as folder:
        making = Making(60, "animatrix test", tell=told.append)
        return await collect(event_of(left), media, Path(folder), making)


async def refused(media: LocalMediaStore, chain: Chain) -> ResultFault:
    with pytest.raises(ResultFault) as fault:
        await run(media, chain)
    assert [key async for key in media.keys("jobs") if "/outputs/" in key] == []
    return fault.value


async def film(media: LocalMediaStore, outputs: JobOutputs) -> Film:
    async with media.local_path(outputs.video.key) as path:
        return watch(path)


@pytest.mark.parametrize("container", CONTAINERS)
async def test_every_frame_is_shown_once_and_in_order(
    media_store: LocalMediaStore, container: str
) -> None:
    collected = await run(media_store, of_frames(25, container=container))
    outputs = collected.outputs
    shown = await film(media_store, outputs)
    assert shown.counters(SIZE) == list(range(25))
    assert shown.times_s == pytest.approx([n / FPS for n in range(25)], abs=0.01)
    assert outputs.video.key.endswith(f"outputs/video.{container}")
    assert (outputs.frame.frames, outputs.frame.fps, outputs.has_audio) == (25, FPS, False)
    assert collected.simulated


@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_delivered_video_is_exact_and_ready_to_stream(
    media_store: LocalMediaStore, container: str
) -> None:
    outputs = (await run(media_store, of_frames(25, container=container))).outputs
    async with media_store.local_path(outputs.video.key) as path:
        facts = await inspect_delivery(path, container=container, fps=FPS)  # type: ignore[arg-type]
        other = await inspect_delivery(path, container=container, fps=FPS + 1)  # type: ignore[arg-type]
    assert (facts.codec, facts.pix_fmt) == CODINGS[container]
    assert (facts.frames, facts.damaged_parts, facts.faststart) == (25, 0, True)
    assert (facts.on_time, other.on_time) == (True, False)


@pytest.mark.parametrize("container", CONTAINERS)
async def test_the_prompt_in_the_pictures_reaches_no_delivered_file(
    media_store: LocalMediaStore, container: str
) -> None:
    assert SECRET_PROMPT.encode() in picture(0)
    chain = of_frames(5, container=container, keep_frames=True)
    outputs = (await run(media_store, chain)).outputs
    media = [outputs.video, outputs.poster, outputs.first_frame, outputs.preview]
    keys_ = [file.key for file in media] + [f.key for f in await kept(media_store, outputs)]
    for key in keys_:
        data = await media_store.read_bytes(key)
        for trace in (SECRET_PROMPT.encode(), b"parameters", b"x264 - core", b"Lavc"):
            assert trace not in data, (key, trace)


async def kept(media: LocalMediaStore, outputs: JobOutputs) -> list[StoredFile]:
    assert outputs.frames is not None
    index = PictureIndex.model_validate_json(await media.read_bytes(outputs.frames.key))
    return list(index.pictures)


async def test_the_same_pictures_give_the_same_bytes_in_other_processes_and_folders(
    tmp_path: Path,
) -> None:
    for container in CONTAINERS:
        media = LocalMediaStore(tmp_path / "left" / container)
        sound = tone(tmp_path / "s.wav") if container != "gif" else None
        chain = of_stills(3, 20, container=container, camera_motion="zoom", keep_frames=True)
        left = await leave_chain(media, replace(chain, soundtrack=sound))
        told = event_of(left).model_dump_json()
        (tmp_path / "left" / container / "event.json").write_text(told)
    folders = [tmp_path / name / "stores" for name in ("one", "another/place")]
    processes = []
    for folder in folders:
        shutil.copytree(tmp_path / "left", folder)
        command = (sys.executable, "-m", "tests.collector.chain", str(folder))
        processes.append(await asyncio.create_subprocess_exec(*command))
    assert [await process.wait() for process in processes] == [0, 0]
    for container in CONTAINERS:
        first, second = [_told(folder / container) for folder in folders]
        assert first == second
        for folder in folders:
            data = await LocalMediaStore(folder / container).read_bytes(first.video.key)
            assert sha256_hex(data) == first.video.sha256


def _told(store: Path) -> JobOutputs:
    return JobOutputs.model_validate_json((store / "outputs.json").read_bytes())


async def test_stills_are_shown_each_for_its_time_without_any_step(
    media_store: LocalMediaStore,
) -> None:
    collected = await run(media_store, of_stills(3, 72, seconds_per_still=2.0))
    shown = await film(media_store, collected.outputs)
    assert shown.counters(SIZE) == [0] * 24 + [1] * 24 + [2] * 24
    assert not collected.simulated
    manifest = await manifest_of(media_store, collected.outputs)
    assert (manifest.steps, manifest.comfy_prompt_ids, manifest.simulated) == ((), (), False)


async def test_stills_of_a_step_are_filmed_like_uploaded_ones(
    media_store: LocalMediaStore,
) -> None:
    chain = replace(of_stills(2, 24), uploaded=False)
    shown = await film(media_store, (await run(media_store, chain)).outputs)
    assert shown.counters(SIZE) == [0] * 12 + [1] * 12


async def manifest_of(media: LocalMediaStore, outputs: JobOutputs) -> JobManifest:
    return JobManifest.model_validate_json(await media.read_bytes(outputs.manifest.key))


def _ramp(size: Size) -> bytes:
    """A picture whose red says the column and whose green says the row."""
    rows, columns = np.mgrid[0 : size.height, 0 : size.width]
    red, green = columns * 255 // size.width, rows * 255 // size.height
    pixels = np.stack([red, green, np.zeros_like(red)], -1).astype(np.uint8)
    sink = BytesIO()
    Image.fromarray(pixels).save(sink, "PNG")
    return sink.getvalue()


def _columns(pictures: Film, row: int, column: int) -> NDArray[np.int64]:
    return np.array([int(p[row, column]) for p in pictures.pictures])


async def test_a_zoom_comes_closer_steadily_and_begins_anew_with_every_still(
    media_store: LocalMediaStore,
) -> None:
    size = Size(256, 128)
    stills = replace(of_stills(2, 48, camera_motion="zoom"), size=size, pictures=[_ramp(size)] * 2)
    shown = await film(media_store, (await run(media_store, stills)).outputs)
    left, right = _columns(shown, 64, 8), _columns(shown, 64, 247)
    for half in (slice(0, 24), slice(24, 48)):
        assert np.all(np.diff(left[half]) >= -CODING_NOISE)
        assert np.all(np.diff(right[half]) <= CODING_NOISE)
        assert left[half][-1] - left[half][0] >= 4
    assert abs(int(left[24]) - int(left[0])) <= 2


async def test_a_pan_crosses_the_longer_side_steadily(media_store: LocalMediaStore) -> None:
    size = Size(256, 128)
    still = replace(of_stills(1, 24, camera_motion="pan"), size=size, pictures=[_ramp(size)])
    shown = await film(media_store, (await run(media_store, still)).outputs)
    middle = _columns(shown, 64, 128)
    assert np.all(np.diff(middle) >= -CODING_NOISE)
    assert middle[-1] - middle[0] >= 8


async def test_frames_of_a_stage_are_never_moved(media_store: LocalMediaStore) -> None:
    chain = of_frames(6, camera_motion="zoom")
    shown = await film(media_store, (await run(media_store, chain)).outputs)
    assert shown.counters(SIZE) == list(range(6))


@pytest.mark.parametrize("container", CONTAINERS)
async def test_odd_sides_are_padded_by_one_pixel(
    media_store: LocalMediaStore, container: str
) -> None:
    odd = Size(95, 63)
    chain = of_frames(4, container=container)
    chain = replace(chain, size=odd, pictures=[picture(n, odd) for n in range(4)])
    shown = await film(media_store, (await run(media_store, chain)).outputs)
    assert {p.shape for p in shown.pictures} == {(64, 96)}
    assert [int(p[-1].mean()) < 40 for p in shown.pictures] == [True] * 4


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (picture(2, Size(96, 66)), "is 96x66, 8 bit, colour type 2, the first picture 96x64"),
        (picture(2, mode="L"), "colour type 0, the first picture 96x64, 8 bit, colour type 2"),
        (picture(2)[:-20], "it is cut off at byte"),
        (picture(2)[:200] + b"\0\0" + picture(2)[202:], "does not fit its checksum"),
        (b"GIF89a" + bytes(40), "it is no PNG"),
    ],
    ids=["other size", "other colours", "cut off", "damaged", "no PNG"],
)
async def test_a_picture_that_does_not_belong_is_refused(
    media_store: LocalMediaStore, odd: bytes, why: str
) -> None:
    chain = of_frames(4)
    fault = await refused(media_store, replace(chain, pictures=[*chain.pictures[:3], odd]))
    assert (fault.code, fault.step) == (ErrorCode.RESULT_INVALID, 0)
    assert why in fault.detail


async def test_pixels_that_cannot_be_decoded_are_refused(media_store: LocalMediaStore) -> None:
    sound = picture(2)
    at = sound.index(b"IDAT")
    size = int.from_bytes(sound[at - 4 : at])
    noise = b"IDAT" + bytes(size)
    broken = sound[:at] + noise + _crc(noise) + sound[at + 8 + size :]
    chain = of_frames(4)
    fault = await refused(media_store, replace(chain, pictures=[*chain.pictures[:3], broken]))
    assert fault.code == ErrorCode.RESULT_INVALID


def _crc(chunk: bytes) -> bytes:
    return zlib.crc32(chunk).to_bytes(4)


async def test_fewer_pictures_than_planned_are_refused(media_store: LocalMediaStore) -> None:
    fault = await refused(media_store, replace(of_frames(4), indexed=3))
    assert "3 pictures instead of 4" in fault.detail


async def test_a_count_that_is_not_the_delivery_s_is_refused(
    media_store: LocalMediaStore,
) -> None:
    fault = await refused(media_store, replace(of_frames(4), frames=5))
    assert "4 frames cannot make a video of 5 frames" in fault.detail
    fault = await refused(media_store, of_stills(4, 3))
    assert "4 stills cannot make a video of 3 frames" in fault.detail


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("sound_s", [0.5, 9.0])
async def test_sound_ends_within_one_frame_of_the_pictures(
    media_store: LocalMediaStore, tmp_path: Path, container: str, sound_s: float
) -> None:
    chain = of_frames(25, container=container)
    chain = replace(chain, soundtrack=tone(tmp_path / "s.wav", duration_s=sound_s))
    outputs = (await run(media_store, chain)).outputs
    shown = await film(media_store, outputs)
    assert outputs.has_audio
    assert abs(shown.sound_start_s) <= 1 / FPS
    end_s = shown.sound_start_s + len(shown.sound) / shown.sample_rate_hz
    assert abs(end_s - 25 / FPS) <= 1 / FPS


async def test_a_gif_is_delivered_without_the_sound(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    chain = replace(of_frames(5, container="gif"), soundtrack=tone(tmp_path / "s.wav"))
    assert not (await run(media_store, chain)).outputs.has_audio


@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_clip_of_segments_is_rendered_frame_for_frame(
    media_store: LocalMediaStore, tmp_path: Path, container: str
) -> None:
    sound = tone(tmp_path / "sound.flac", duration_s=41 / 16, codec="flac")
    clips = [Clip(range(21)), Clip(range(21, 41))]
    left = await leave(media_store, tmp_path, Order(41, (21, 20), soundtrack=sound), clips)
    config = render_stage(container=container, fps=16, keep_frames=True)
    left = await order_render(media_store, left, config)
    with tempfile.TemporaryDirectory() as folder:
        making = Making(60, "animatrix test")
        outputs = (await collect(event_of(left), media_store, Path(folder), making)).outputs
    shown = await film(media_store, outputs)
    assert shown.counters(SIZE) == list(range(41))
    assert outputs.has_audio is (container != "gif")
    frames = [await media_store.read_bytes(file.key) for file in await kept(media_store, outputs)]
    greys = [np.asarray(Image.open(BytesIO(data)).convert("L")) for data in frames]
    assert [read_counter(grey, SIZE) for grey in greys] == list(range(41))


async def test_kept_frames_are_stored_in_order_and_listed(media_store: LocalMediaStore) -> None:
    outputs = (await run(media_store, of_frames(6, keep_frames=True))).outputs
    assert outputs.frames is not None
    index = PictureIndex.model_validate_json(await media_store.read_bytes(outputs.frames.key))
    assert (index.width_px, index.height_px) == (96, 64)
    manifest = await manifest_of(media_store, outputs)
    assert [f.name for f in manifest.kept_frames] == [f"picture-{n:06d}.png" for n in range(6)]
    assert [f.sha256 for f in manifest.kept_frames] == [p.sha256 for p in index.pictures]
    for number, file in enumerate(index.pictures):
        data = await media_store.read_bytes(file.key)
        pixels = np.asarray(Image.open(BytesIO(data)))
        assert np.array_equal(pixels, np.asarray(Image.open(BytesIO(picture(number)))))


async def test_frames_that_nobody_keeps_are_not_delivered(media_store: LocalMediaStore) -> None:
    outputs = (await run(media_store, of_frames(6))).outputs
    assert outputs.frames is None
    assert not [key async for key in media_store.keys("jobs") if "outputs/frames" in key]
    assert (await manifest_of(media_store, outputs)).kept_frames == ()


async def test_the_output_is_named_as_ordered_and_everything_is_in_the_manifest(
    media_store: LocalMediaStore,
) -> None:
    outputs = (await run(media_store, of_frames(6, container="webm", output_name="dance"))).outputs
    manifest = await manifest_of(media_store, outputs)
    told = {file.name: file.sha256 for file in manifest.files}
    assert told["dance.webm"] == manifest.render_sha256 == manifest.delivered_sha256
    for file in stored_files(outputs):
        data = await media_store.read_bytes(file.key)
        assert (file.sha256, file.size_bytes) == (sha256_hex(data), len(data))
        assert file == outputs.manifest or told[file.key.rpartition("/")[2]] == file.sha256
    assert manifest.stages[-1] == render_stage(container="webm", output_name="dance")


async def test_progress_of_a_render_grows_to_the_whole(media_store: LocalMediaStore) -> None:
    told: list[float] = []
    await run(media_store, of_stills(2, 600), told)
    assert told == sorted(told)
    assert told[-1] == 1.0
