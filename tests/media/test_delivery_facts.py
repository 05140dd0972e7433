"""Measuring a video that is to be delivered."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from contracts.errors import ErrorCode
from runtime.delivery_facts import inspect_delivery
from runtime.probe import ProbeRefused
from runtime.sandbox.timing import whole_rate
from tests.support.hostile_media import truncated
from tests.support.media import Size, counter_picture, counter_video, tone, uneven_times


async def test_an_even_video_has_an_exact_rate(tmp_path: Path) -> None:
    path = counter_video(
        tmp_path / "a.mp4",
        fps=Fraction(16),
        frames=33,
        sound=True,
        options={"movflags": "+faststart"},
    )
    facts = await inspect_delivery(path)
    assert (facts.codec, facts.pix_fmt, facts.frames) == ("h264", "yuv420p", 33)
    assert (facts.width_px, facts.height_px) == (320, 180)
    assert (facts.rate, facts.mean_rate) == (Fraction(16), Fraction(16))
    assert facts.faststart
    assert facts.damaged_parts == 0
    assert facts.audio is not None
    assert facts.audio.codec == "aac"
    assert facts.audio.duration_s == pytest.approx(33 / 16, abs=1 / 16)


async def test_an_uneven_video_has_no_rate(tmp_path: Path) -> None:
    facts = await inspect_delivery(counter_video(tmp_path / "a.mp4", times=uneven_times(30)))
    assert facts.rate is None
    assert facts.mean_rate is not None


@pytest.mark.parametrize(
    ("rate", "whole"),
    [(Fraction(16), 16), (Fraction(30_000, 1001), 30), (Fraction(1, 3), 1), (None, 1)],
)
def test_an_order_asks_for_the_nearest_whole_rate(rate: Fraction | None, whole: int) -> None:
    assert whole_rate(rate) == whole


async def test_an_index_at_the_end_is_not_fast_start(tmp_path: Path) -> None:
    facts = await inspect_delivery(counter_video(tmp_path / "a.mp4"))
    assert not facts.faststart
    assert facts.boxes.index("mdat") < facts.boxes.index("moov")


async def test_embedded_tags_are_seen(tmp_path: Path) -> None:
    path = counter_video(tmp_path / "a.mp4", options={"movflags": "use_metadata_tags"})
    assert "encoder" in (await inspect_delivery(path)).metadata


async def test_what_cannot_be_delivered_is_refused(tmp_path: Path) -> None:
    whole = counter_video(tmp_path / "a.mp4")
    for path in (truncated(whole, tmp_path / "b.mp4"), tone(tmp_path / "a.wav")):
        with pytest.raises(ProbeRefused) as refused:
            await inspect_delivery(path)
        assert refused.value.code == ErrorCode.FILE_UNDECODABLE


def webm(path: Path, **options: str) -> Path:
    return counter_video(path, fps=Fraction(12), frames=25, codec="libvpx-vp9", options=options)


def gif(path: Path, gaps_ms: list[int]) -> Path:
    pictures = [Image.fromarray(counter_picture(n, Size(96, 64))) for n in range(len(gaps_ms))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=gaps_ms, loop=0)
    return path


async def test_frames_of_a_webm_are_on_time_to_a_millisecond(tmp_path: Path) -> None:
    path = webm(tmp_path / "a.webm", cues_to_front="1")
    facts = await inspect_delivery(path, container="webm", fps=12)
    assert (facts.codec, facts.frames, facts.rate, facts.on_time) == ("vp9", 25, None, True)
    assert facts.faststart
    assert facts.boxes.index("Cues") < facts.boxes.index("Cluster")
    assert (await inspect_delivery(path, container="webm", fps=13)).on_time is False
    assert (await inspect_delivery(path, container="webm")).on_time is None


async def test_a_webm_whose_index_is_at_the_end_is_not_fast_start(tmp_path: Path) -> None:
    facts = await inspect_delivery(webm(tmp_path / "a.webm"), container="webm")
    assert not facts.faststart


async def test_one_frame_of_a_gif_that_lingers_is_not_on_time(tmp_path: Path) -> None:
    even = gif(tmp_path / "a.gif", [80, 90, 80, 80, 90, 80])
    facts = await inspect_delivery(even, container="gif", fps=12)
    assert (facts.codec, facts.frames, facts.on_time) == ("gif", 6, True)
    late = gif(tmp_path / "b.gif", [80, 90, 110, 80, 90, 80])
    assert (await inspect_delivery(late, container="gif", fps=12)).on_time is False


async def test_a_webm_or_gif_that_ends_early_is_refused(tmp_path: Path) -> None:
    for path, container in (
        (webm(tmp_path / "a.webm"), "webm"),
        (gif(tmp_path / "a.gif", [80] * 6), "gif"),
    ):
        short = truncated(path, tmp_path / f"short.{container}")
        with pytest.raises(ProbeRefused) as refused:
            await inspect_delivery(short, container=container)  # type: ignore[arg-type]
        assert refused.value.code == ErrorCode.FILE_UNDECODABLE


async def test_a_container_is_not_taken_for_another(tmp_path: Path) -> None:
    path = gif(tmp_path / "a.gif", [80] * 6).rename(tmp_path / "a.mp4")
    with pytest.raises(ProbeRefused):
        await inspect_delivery(path)
