"""Seams: what is found wrong between segments, and what is not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import ErrorCode
from runtime.media_store_local import LocalMediaStore
from services.collector.collection import Making, collect
from services.collector.faults import ResultFault
from services.collector.seams import REACH, Grey, seam_fault
from tests.collector.scene import Clip, Left, Order, finished, leave, rewrite

OVERLAP = 5


_CENTRES = ((5, 8), (20, 30), (44, 12), (33, 22))


def _scene(frames: int, speed: float = 1.0) -> Grey:
    """Blobs that drift at `speed` blocks a frame over a still background, 60 × 40 blocks."""
    rows, columns = np.mgrid[0:60, 0:40]
    pictures = []
    for number in range(frames):
        picture = 40 + columns * 2.0
        for row, column in _CENTRES:
            y, x = row + speed * number * 0.7, column + speed * number * 0.5
            distance = (rows - y % 60) ** 2 + (columns - x % 40) ** 2
            picture = picture + 90 * np.exp(-distance / 18)
        pictures.append(picture)
    moved: Grey = np.clip(np.stack(pictures), 0, 255).astype(np.uint8)
    return moved


def _noisy(frames: Grey, by: float, seed: int) -> Grey:
    noise = np.random.default_rng(seed).normal(0, by, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("speed", [0.0, 0.05, 0.3, 1.0, 3.0])
def test_a_right_seam_passes_whatever_moves_and_however_it_was_coded(speed: float) -> None:
    scene = _scene(40, speed)
    for seed in range(20):
        before = _noisy(scene[:20], 0.4, seed)
        overlap = _noisy(scene[15:20], 0.4, seed + 100)
        assert seam_fault(before, overlap) is None


@pytest.mark.parametrize("speed", [0.8, 1.0, 2.0])
@pytest.mark.parametrize("shift", [n for n in range(-REACH, REACH + 1) if n])
def test_frames_left_out_or_shown_twice_are_found_and_counted(speed: float, shift: int) -> None:
    scene = _scene(60, speed)
    before = _noisy(scene[:40], 0.4, 1)
    overlap = _noisy(scene[35 + shift : 40 + shift], 0.4, 2)
    fault = seam_fault(before, overlap)
    assert fault is not None
    assert fault.startswith(f"{abs(shift)} frames ")
    assert ("left out" if shift > 0 else "shown twice") in fault


def test_a_segment_in_another_brightness_passes() -> None:
    scene = _scene(40)
    assert seam_fault(scene[:20], np.clip(scene[15:20] + 12.0, 0, 255).astype(np.uint8)) is None


def test_a_cut_of_the_scene_at_the_seam_is_no_fault() -> None:
    scene = np.concatenate([_scene(18), 255 - _scene(40)])
    assert seam_fault(scene[:20], scene[15:20]) is None


def test_pictures_that_have_nothing_in_common_prove_nothing() -> None:
    noise = np.random.default_rng(5).integers(0, 255, (14, 60, 40)).astype(np.uint8)
    assert seam_fault(noise[:9], noise[9:]) is None


async def _collected(media: LocalMediaStore, left: Left) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await collect(finished(left), media, Path(folder), Making(60, "test"))


async def test_segments_whose_overlap_fits_are_delivered(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    clips = [Clip(range(33)), Clip(range(33, 61)), Clip(range(61, 89))]
    overlaps = [Clip(range(28, 33)), Clip(range(56, 61))]
    order = Order(89, (33, 28, 28))
    left = await leave(media_store, tmp_path, order, clips, overlaps=overlaps)
    await _collected(media_store, left)


@pytest.mark.parametrize("shift", [-3, -1, 1, 2])
async def test_a_job_whose_segment_began_at_the_wrong_frame_fails(
    media_store: LocalMediaStore, tmp_path: Path, shift: int
) -> None:
    clips = [Clip(range(33)), Clip(range(33 + shift, 61 + shift))]
    overlaps = [Clip(range(28 + shift, 33 + shift))]
    left = await leave(media_store, tmp_path, Order(61, (33, 28)), clips, overlaps=overlaps)
    with pytest.raises(ResultFault) as fault:
        await _collected(media_store, left)
    assert (fault.value.code, fault.value.step) == (ErrorCode.RESULT_INVALID, 1)
    assert f"{abs(shift)} frames" in fault.value.detail


async def test_an_overlap_of_another_length_is_refused(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    clips = [Clip(range(33)), Clip(range(33, 61))]
    order = Order(61, (33, 28))
    left = await leave(media_store, tmp_path, order, clips, overlaps=[Clip(range(28, 33))])
    step = left.plan.comfy_steps[1]
    outputs = tuple(
        o.model_copy(update={"frames": 6}) if o.name == "overlap" else o for o in step.outputs
    )
    changed = step.model_copy(update={"outputs": outputs})
    plan = left.plan.model_copy(update={"steps": (left.plan.steps[0], changed)})
    file = await media_store.put_bytes(left.report.run_plan.key, plan.model_dump_json().encode())
    left = await rewrite(media_store, left, run_plan=file)
    with pytest.raises(ResultFault, match="5 frames instead of 6"):
        await _collected(media_store, left)
