"""From files and words to a video that plays, in every mode that is offered."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Locator, expect

from tests.browser.conftest import in_the_browser
from tests.browser.studio import Studio, pace_engine, slow_engine
from tests.support.media import Size, photo

pytestmark = in_the_browser
WORDS = "She walks through the morning light"


async def test_four_actions_make_a_video_that_plays(
    studio: Studio, hero: Path, motion: Path
) -> None:
    """On the way the picture is cropped, and the page is loaded anew while the video is made."""
    slow_engine(studio.system, 2.5)
    page = studio.page
    await studio.attach(hero, role="Ground Truth")
    await studio.attach(motion, role="Motion Video")
    await studio.prompt.fill(WORDS)
    await studio.chip("Ground Truth").click()
    await page.get_by_role("button", name="Shape 9:16").click()
    await page.get_by_role("group", name=re.compile("^Crop frame")).press("ArrowRight")
    await page.keyboard.press("Escape")
    await expect(studio.chip("Ground Truth").get_by_label("cropped")).to_be_visible()
    async with page.expect_request("**/api/jobs/animate") as sent:
        await studio.generate()
    body = (await sent.value).post_data_json
    assert body is not None
    assert body["crop"]["height_px"] == 480

    await expect(studio.cards.first).to_contain_text(re.compile("Generating|Starting"))
    await studio.shoot("running")
    await page.reload()
    await expect(studio.prompt).to_have_value(WORDS)
    await expect(studio.chip("Motion Video")).to_contain_text("0:0")
    await expect(studio.cards).to_have_count(1)
    card = await studio.finished()
    await expect(card).to_contain_text("Simulated")

    await card.get_by_role("button", name=f"Play: {WORDS}").click()
    await expect(page).to_have_url(re.compile(r"\?run="))
    await page.reload()
    player = page.get_by_role("dialog", name="Player")
    await expect(player).to_contain_text("not a real video")
    video = player.locator("video")
    await page.wait_for_function("() => document.querySelector('dialog video')?.currentTime > 0")
    await player.get_by_role("button", name="One frame forward").click()
    assert await video.evaluate("v => v.paused")
    await studio.shoot("player")


async def test_the_work_so_far_is_seen_while_it_is_made(
    studio: Studio, hero: Path, motion: Path
) -> None:
    pace_engine(studio.system, 1.5)
    try:
        await studio.fill(hero, motion, WORDS)
        await studio.generate()
        seen = studio.cards.first.get_by_role("img", name="What is made so far")
        await expect(seen).to_be_visible()
        first = await seen.get_attribute("src")
        assert await seen.evaluate("picture => picture.naturalWidth") > 0
        await expect(seen).not_to_have_attribute("src", str(first))
        await studio.shoot("live-preview")
    finally:
        pace_engine(studio.system, 0.0)
    await studio.finished()
    await expect(seen).to_have_count(0)


async def test_a_character_takes_the_place_of_another_all_by_keyboard(
    studio: Studio, hero: Path, motion: Path
) -> None:
    page = studio.page
    await page.get_by_role("button", name=re.compile("^What to make")).press("ArrowDown")
    await expect(page.get_by_role("menuitemradio", name=re.compile("^Animate"))).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="What to make: Replace character")).to_be_focused()

    await studio.fill(hero, motion, WORDS)
    await page.get_by_role("button", name="Advanced").press("Enter")
    await page.get_by_label("Match the light of the scene").press("Space")
    await expect(page.get_by_label("Match the light of the scene")).to_be_checked()
    await studio.prompt.press("Control+Enter")
    card = await studio.finished()
    await expect(card).to_contain_text("Replace character")
    await card.get_by_role("button", name=f"Play: {WORDS}").press("Enter")
    await expect(page.get_by_role("dialog", name="Player")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(card.get_by_role("button", name=f"Play: {WORDS}")).to_be_focused()


async def test_a_video_leads_from_one_picture_to_another(
    studio: Studio, hero: Path, motion: Path
) -> None:
    await studio.choose_task("Start & end frame")
    await studio.attach(hero)
    await studio.attach(hero)
    await expect(studio.chip("Start Frame")).to_be_visible()
    await expect(studio.chip("End Frame")).to_be_visible()
    await studio.prompt.fill("The sun rises behind her")
    await studio.generate()
    await expect(await studio.finished()).to_contain_text("Start & end frame")


async def test_poses_follow_a_control_video(studio: Studio, hero: Path, motion: Path) -> None:
    await studio.choose_task("Pose control")
    await studio.fill(hero, motion, "A dancer on a stage")
    await expect(studio.chip("Control Video")).to_be_visible()
    await studio.generate()
    await expect(await studio.finished()).to_contain_text("Pose control")


async def test_one_click_loads_a_sample_for_each_main_mode(studio: Studio, speech: Path) -> None:
    samples = studio.page.get_by_role("main").get_by_role("button")
    await expect(samples).to_have_count(3)
    for at, driver in enumerate(("Motion Video", "Motion Video", "Audio")):
        await samples.nth(at).click()
        await expect(studio.chip("Ground Truth")).to_contain_text("768 × 1344")
        await expect(studio.chip(driver)).to_contain_text("0:0")
        await expect(studio.generate_button).to_have_attribute("aria-disabled", "false")
    await expect(studio.chip("Motion Video")).to_have_count(0)
    # Speech of one's own takes the place of the sample's.
    await studio.attach(speech)
    await studio.prompt.fill("She speaks warmly")
    await studio.generate()
    await expect(await studio.finished()).to_contain_text("Audio performance")


async def test_files_dropped_anywhere_find_their_roles_and_are_kept_as_a_character(
    studio: Studio, hero: Path, speech: Path
) -> None:
    data = await studio.page.evaluate_handle(
        """(bytes) => {
          const transfer = new DataTransfer();
          for (const name of ['face.png', 'pose-sheet.png'])
            transfer.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
          return transfer;
        }""",
        list(hero.read_bytes()),
    )
    for event in ("dragenter", "dragover"):
        await studio.page.dispatch_event("body", event, {"dataTransfer": data})
    await expect(studio.page.get_by_text("Drop to attach")).to_be_visible()
    await studio.page.dispatch_event("body", "drop", {"dataTransfer": data})
    await expect(studio.chip("Ground Truth")).to_contain_text("320 × 480")
    await expect(studio.chip("Pose Sheet")).to_contain_text("320 × 480")

    async def shelf(name: str) -> Locator:
        await studio.page.get_by_role("button", name="Add files", exact=True).click()
        await studio.page.get_by_role("menuitem", name=re.compile(f"^{name}")).click()
        return studio.page.get_by_role("dialog", name=name)

    # The character is kept with its pose sheet, and the present settings as a style.
    kept = await shelf("Characters")
    await kept.get_by_placeholder("Name").fill("Ada")
    await kept.get_by_role("button", name="Keep").click()
    await expect(kept.get_by_role("button", name=re.compile("^Ada"))).to_contain_text("version 1")
    await studio.page.keyboard.press("Escape")
    await studio.page.get_by_role("button", name="Remove face.png").click()
    await studio.page.get_by_role("button", name="Remove pose-sheet.png").click()
    await expect(studio.chip("Pose Sheet")).to_have_count(0)
    await (await shelf("Characters")).get_by_role("button", name=re.compile("^Ada")).click()
    await expect(studio.chip("Ground Truth")).to_contain_text("320 × 480")
    await expect(studio.chip("Pose Sheet")).to_contain_text("320 × 480")
    kept = await shelf("Styles")
    await kept.get_by_placeholder("Name").fill("Evening")
    await kept.get_by_role("button", name="Keep").click()
    await kept.get_by_role("button", name=re.compile("^Evening")).click()
    await expect(studio.page.get_by_role("dialog")).to_have_count(0)
    kept = await shelf("Characters")
    await kept.get_by_role("button", name="Forget Ada").click()
    await expect(kept.get_by_role("button", name=re.compile("^Ada"))).to_have_count(0)
    await studio.page.keyboard.press("Escape")

    # Speech says what is to be made, as long as nothing else has.
    await studio.attach(speech)
    await expect(studio.page.get_by_text("Switched to Audio performance")).to_be_visible()
    await expect(studio.chip("Motion Video")).to_have_count(0)


async def test_a_finished_video_is_where_the_next_one_begins(
    studio: Studio, hero: Path, motion: Path
) -> None:
    """And what is deleted in the end is gone on every page."""
    page = studio.page
    await studio.fill(hero, motion, WORDS)
    await studio.generate()
    card = await studio.finished()

    search = page.get_by_role("searchbox", name="Search your prompts")
    await search.fill("nobody asked for this")
    await expect(page.get_by_text("Nothing like this.")).to_be_visible()
    await expect(studio.cards).to_have_count(0)
    await search.fill("LIGHT morning")
    await expect(studio.cards).to_have_count(1)
    async with page.expect_response(re.compile(r"/api/jobs\?limit=\d+$")):
        await search.fill("")
        await expect(search).to_be_focused()
        # A menu that is opened meanwhile stays: its card is in both lists.
        await card.get_by_role("button", name="More actions").click()
    await expect(studio.cards).to_have_count(1)
    await expect(page.get_by_role("menuitem", name="Same settings again")).to_be_focused()
    await page.keyboard.press("Escape")

    await studio.prompt.fill("something else")
    await card.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Same settings again").click()
    await expect(studio.prompt).to_have_value(WORDS)
    await page.get_by_role("button", name="Advanced").click()
    await expect(page.get_by_label("Seed")).not_to_have_value("")

    await card.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="New variation").click()
    await studio.finished(2)

    await card.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Use last frame").click()
    await expect(studio.chip("Ground Truth")).to_contain_text("96 × 160")

    await studio.card("completed").last.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Compare with…").click()
    await studio.card("completed").first.get_by_role("button", name=re.compile("^Play")).click()
    await expect(page.get_by_role("dialog", name="Side by side").locator("video")).to_have_count(2)
    await studio.shoot("compare")
    await page.keyboard.press("Escape")

    other = Studio(await page.context.new_page(), studio.system)
    await other.open()
    await expect(other.cards).to_have_count(2)
    await card.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(studio.cards).to_have_count(1)
    await expect(other.cards).to_have_count(1)


async def test_pictures_become_a_motion_clip_whose_settings_come_back(
    studio: Studio, hero: Path, tmp_path: Path
) -> None:
    page = studio.page
    await studio.choose_task("Motion clip")
    await studio.attach(hero, photo(tmp_path / "second.png", size=Size(320, 480), format="PNG"))
    await expect(studio.chip("Still")).to_have_count(2)
    for at in range(2):  # What is still being sent does not outlive a reload.
        await expect(studio.chip("Still").nth(at)).to_contain_text("320 × 480")
    panel = page.get_by_role("region", name="Motion clip")
    await panel.get_by_label("Seconds per picture").fill("0.5")
    await panel.get_by_text("Slow zoom", exact=True).click()
    await panel.get_by_label("Frames per second").fill("90")
    await expect(panel.get_by_role("alert")).to_contain_text("from 1 to 60")
    await panel.get_by_label("Frames per second").fill("8")
    await panel.get_by_text("GIF", exact=True).click()
    await expect(panel.get_by_role("alert")).to_have_count(0)
    await studio.shoot("motion-clip")
    await page.reload()
    await expect(panel.get_by_label("Seconds per picture")).to_have_value("0.5")
    await expect(panel.get_by_label("Slow zoom")).to_be_checked()
    await expect(studio.generate_button).to_have_attribute("aria-disabled", "false")
    await studio.generate()
    card = await studio.finished()
    await expect(card).to_contain_text("Motion clip")
    await card.get_by_role("button", name=re.compile("^Play")).click()
    moving = page.get_by_role("dialog", name="Player").get_by_role("img").first
    await expect(moving).to_have_js_property("naturalWidth", 96)
    await expect(page.get_by_role("dialog", name="Player").locator("video")).to_have_count(0)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    await page.keyboard.press("Escape")
    visitor = await page.context.new_page()
    await visitor.goto(link)
    await expect(visitor.get_by_role("img", name="Shared video")).to_have_js_property(
        "naturalWidth", 96
    )
    await expect(visitor.get_by_text("This link works until")).to_be_visible()
    await visitor.close()
    await panel.get_by_label("Seconds per picture").fill("2")
    await card.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Same settings again").click()
    await expect(panel.get_by_label("Seconds per picture")).to_have_value("0.5")
