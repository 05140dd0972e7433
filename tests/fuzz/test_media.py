"""A short, seeded run of damaged media; `.ci/run` does the long one."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.media import damaged, fuzz

FILES, BUDGET_S = 200, 90.0


def test_equal_seeds_damage_equally() -> None:
    good = {"png": bytes(range(256)) * 4, "wav": b"RIFF" * 50}
    assert list(damaged(good, 30, 7)) == list(damaged(good, 30, 7))
    assert list(damaged(good, 30, 7)) != list(damaged(good, 30, 8))


async def test_damaged_media_is_found_good_or_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    report = await fuzz(tmp_path, FILES, seed=11, budget_s=BUDGET_S)
    assert report.wrong == [], report
    assert report.files > FILES // 4, report
    assert len(report.ended) > 2, report
