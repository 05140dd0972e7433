"""What a finished video is good for: to look at closely, to take away, to go on from."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.conftest import in_the_browser, open_page
from tests.browser.studio import Studio

pytestmark = in_the_browser
FPS = 16
PLAY = re.compile("^Play: ")


async def test_a_card_plays_while_it_is_pointed_at_and_shows_what_was_chosen(
    standing: Studio,
) -> None:
    await standing.open()
    page, card = standing.page, standing.card("completed").first
    await card.get_by_role("button", name=PLAY).hover()
    await expect(card.locator("video")).to_have_js_property("paused", value=False)
    await expect(card.locator("video")).to_have_js_property("muted", value=True)
    await page.mouse.move(1, 1)
    await expect(card.locator("video")).to_have_count(0)

    async def only(name: str) -> None:
        await page.get_by_role("button", name=re.compile("^Show: ")).click()
        await page.get_by_role("menuitemradio", name=name).click()

    await only("Audio performance")
    await expect(page.get_by_text("Nothing like this.")).to_be_visible()
    await only("Ready")
    await expect(card).to_be_visible()


async def test_a_video_is_looked_at_frame_by_frame_at_any_speed(standing: Studio) -> None:
    await standing.open()
    page = standing.page
    await standing.card("completed").first.get_by_role("button", name=PLAY).click()
    player = page.get_by_role("dialog", name="Player")
    video = player.locator("video")
    await expect(video).to_have_js_property("paused", value=False)

    async def frame() -> int:
        await expect(video).to_have_js_property("seeking", value=False)
        return int(await video.evaluate("v => v.currentTime") * FPS)

    await video.focus()
    await page.keyboard.press("Space")
    await expect(video).to_have_js_property("paused", value=True)
    await player.get_by_label("Position").fill("0.5")
    here = await frame()
    await video.focus()
    await page.keyboard.press("ArrowRight")
    assert await frame() == here + 1
    await player.get_by_role("button", name="One frame back").click()
    assert await frame() == here

    await player.get_by_role("button", name="Speed: 1×").click()
    await page.get_by_role("menuitemradio", name="0.25×").click()
    await expect(video).to_have_js_property("playbackRate", 0.25)
    await expect(video).to_have_js_property("loop", value=True)
    await page.keyboard.press("l")
    await expect(video).to_have_js_property("loop", value=False)
    await expect(player.get_by_role("button", name="Loop")).to_have_attribute(
        "aria-pressed", "false"
    )
    await player.get_by_role("button", name="Full screen").click()
    await page.wait_for_function("document.fullscreenElement?.querySelector('video')")
    await page.keyboard.press("f")
    await page.wait_for_function("document.fullscreenElement === null")

    await player.get_by_role("button", name="Use this frame").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(standing.chip("Ground Truth")).to_contain_text("96 × 160")


async def test_a_video_is_taken_away_as_a_file_and_as_a_link(
    standing: Studio, browser: Browser, tmp_path: Path
) -> None:
    await standing.open()
    page = standing.page
    await standing.card("completed").first.get_by_role("button", name=PLAY).click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    file = await download.value
    assert re.fullmatch(r"animatrix-\w+-video\.mp4", file.suggested_filename)
    await file.save_as(tmp_path / "video.mp4")
    assert (tmp_path / "video.mp4").read_bytes()[4:8] == b"ftyp"

    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    async with open_page(browser) as visitor:
        await visitor.goto(link)
        shown = visitor.get_by_label("Shared video")
        await shown.evaluate("video => video.play()")
        await expect(shown).to_have_js_property("videoWidth", 96)
        await expect(visitor.get_by_text("not a real video")).to_be_visible()
        await expect(visitor.get_by_text("This link works until")).to_be_visible()
        await Studio(visitor, standing.system).shoot("shared")
        await visitor.goto(link[:-4] + "0000")
        await expect(visitor.get_by_role("alert")).to_have_text(re.compile(r"\w+.*\. .*\w+"))
