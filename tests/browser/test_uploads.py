"""Uploads on a bad line: what was sent is not sent again, and what is cancelled is gone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import in_the_browser
from tests.browser.studio import Studio
from tests.browser.wire import wire_to
from tests.support.system import System
from tests.support.waiting import eventually

pytestmark = in_the_browser
PADDING_BYTES = 24 * 1024 * 1024


@pytest.fixture
def long_motion(motion: Path, tmp_path: Path) -> Path:
    """A good video that takes a while to send: an MP4 may carry free space behind its media."""
    path = tmp_path / "long.mp4"
    free = (PADDING_BYTES).to_bytes(4, "big") + b"free" + bytes(PADDING_BYTES - 8)
    path.write_bytes(motion.read_bytes() + free)
    return path


async def test_an_upload_cut_in_the_middle_goes_on_where_it_was(
    page: Page, system: System, long_motion: Path
) -> None:
    async with wire_to(system.url) as wire:
        studio = Studio(page, system)
        await studio.open(url=wire.url)
        wire.cut_after_bytes = wire.up_bytes + PADDING_BYTES // 2
        await studio.attach(long_motion)
        chip = studio.chip("Motion Video")
        await expect(chip).to_contain_text("Waiting for the connection", timeout=20_000)
        assert wire.is_cut.is_set()
        await studio.shoot("upload-waiting")
        wire.mend()
        await expect(chip).to_contain_text("0:01", timeout=30_000)
        sent_bytes = wire.up_bytes
    size_bytes = long_motion.stat().st_size
    assert size_bytes < sent_bytes < size_bytes * 1.25
    async with system.http() as http:
        [newest, *_] = (await http.get("/api/assets?kind=video&limit=1")).json()["assets"]
    assert newest["sha256"] == hashlib.sha256(long_motion.read_bytes()).hexdigest()


async def test_a_reload_in_the_middle_costs_only_what_was_not_sent(
    page: Page, system: System, long_motion: Path
) -> None:
    async with wire_to(system.url) as wire:
        studio = Studio(page, system)
        await studio.open(url=wire.url)
        wire.cut_after_bytes = wire.up_bytes + PADDING_BYTES // 2
        await studio.attach(long_motion)
        await expect(studio.chip("Motion Video")).to_contain_text("Waiting", timeout=20_000)
        wire.mend()
        await page.reload()
        await expect(studio.chip("Motion Video")).to_contain_text("Choose it again")
        await expect(page.get_by_text("goes on where it stopped").first).to_be_visible()
        await studio.attach(long_motion)
        await expect(page.get_by_text("Choose it again")).to_have_count(0)
        await expect(studio.chip("Motion Video")).to_contain_text("0:01", timeout=30_000)
        assert wire.up_bytes < long_motion.stat().st_size * 1.25


async def test_a_cancelled_upload_leaves_nothing_on_the_server(
    page: Page, system: System, long_motion: Path
) -> None:
    def under_way() -> list[Path]:
        return [p for p in system.var.rglob("upload-sessions/*") if not p.suffix]

    before = under_way()
    async with wire_to(system.url) as wire:
        studio = Studio(page, system)
        await studio.open(url=wire.url)
        wire.cut_after_bytes = wire.up_bytes + PADDING_BYTES // 2
        await studio.attach(long_motion)
        chip = studio.chip("Motion Video")
        await expect(chip).to_contain_text("Waiting", timeout=20_000)
        assert len(under_way()) == len(before) + 1
        wire.mend()
        await page.get_by_role("button", name="Stop uploading long.mp4").click()
        await expect(chip).to_have_count(0)
        await eventually(lambda: under_way() == before)
