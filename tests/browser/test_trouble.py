"""What a person sees when something goes wrong, and how it goes on from there."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import in_the_browser
from tests.browser.studio import GENERATION_MS, Studio, order_faults, slow_engine
from tests.support.hostile_media import svg, text_named, truncated

pytestmark = in_the_browser
WORDS = "He dances in the rain"


async def test_generate_says_what_is_missing_or_out_of_range(
    studio: Studio, hero: Path, motion: Path
) -> None:
    await expect(studio.generate_button).to_have_attribute("aria-disabled", "true")
    await expect(studio.generate_button).to_have_accessible_description(
        "Add a picture of your character."
    )
    await studio.attach(hero)
    await expect(studio.generate_button).to_have_accessible_description("Add a motion video.")
    # A button that cannot act yet still answers.
    await studio.generate_button.click(force=True)
    await expect(studio.page.get_by_text("Write what should happen.").first).to_be_visible()
    await expect(studio.cards).to_have_count(0)

    await studio.attach(motion)
    await studio.prompt.fill(WORDS)
    await expect(studio.generate_button).to_have_attribute("aria-disabled", "false")
    await studio.page.get_by_role("button", name="Advanced").click()
    duration = studio.page.get_by_label("Duration in seconds")
    await duration.fill("40")
    await expect(duration).to_have_attribute("aria-invalid", "true")
    await expect(duration).to_have_accessible_description(re.compile("seconds"))
    await expect(studio.generate_button).to_have_attribute("aria-disabled", "true")


async def test_a_file_that_cannot_be_used_is_refused_in_words(
    studio: Studio, hero: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").touch()
    files = {
        "words": text_named(tmp_path / "notes.txt"),
        "words_as_png": text_named(tmp_path / "notes.png"),
        "drawing": svg(tmp_path / "drawing.svg"),
        "broken_off": truncated(hero, tmp_path / "half.png"),
        "empty": tmp_path / "empty.png",
    }
    chip, dialog = studio.chip("Ground Truth"), studio.page.get_by_role("dialog")
    for case, file in files.items():
        await studio.attach(file)
        await expect(chip, case).to_contain_text("Cannot be used")
        await chip.click()
        await expect(dialog.get_by_role("alert"), case).to_contain_text(
            re.compile(r"\w+.*\. .*\w+")
        )
        await studio.shoot(f"refused-{case}")
        await studio.page.keyboard.press("Escape")
        await studio.page.get_by_role("button", name=f"Remove {file.name}").click()
        await expect(chip, case).to_have_count(0)


async def test_a_running_video_asks_before_it_is_cancelled(
    studio: Studio, hero: Path, motion: Path
) -> None:
    slow_engine(studio.system, 30)
    await studio.fill(hero, motion, WORDS)
    await studio.generate()
    await expect(studio.card("executing")).to_have_count(1)
    await studio.generate()
    await expect(studio.card("queued")).to_contain_text("you are next")

    await studio.card("queued").get_by_role("button", name="Cancel").click()
    await expect(studio.card("cancelled")).to_have_count(1)

    await studio.card("executing").get_by_role("button", name="Cancel").click()
    await studio.page.get_by_role("button", name="Stop it").click()
    await expect(studio.card("cancelled")).to_have_count(2, timeout=20_000)
    await studio.shoot("cancelled")


async def test_a_failed_video_says_why_and_can_be_made_after_all(
    studio: Studio, hero: Path, motion: Path
) -> None:
    """A retry on a broken engine fails again; an operator's, once it is mended, does not."""
    order_faults(studio.system, {"kind": "oom", "class": "KSampler"})
    page = studio.page
    await studio.fill(hero, motion, WORDS)
    await studio.generate()
    failed = studio.card("failed")
    await expect(failed).to_contain_text("Could not be made: ", timeout=GENERATION_MS)
    await expect(failed).not_to_contain_text(re.compile("CUDA|node|ComfyUI", re.IGNORECASE))
    await studio.shoot("failed")
    await failed.get_by_role("button", name="Retry").click()
    await expect(failed).to_contain_text("attempt", timeout=GENERATION_MS)

    await studio.open("/console")
    await page.get_by_label("State").select_option("failed")
    await page.get_by_role("row").last.get_by_role("link").click()
    order_faults(studio.system)
    await page.get_by_role("button", name="Retry from the failed step").click()
    await expect(page.get_by_role("dialog")).to_contain_text("finished steps are kept")
    await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_text("job_completed", exact=True)).to_be_visible(timeout=GENERATION_MS)
    await expect(page.get_by_text("retry_requested", exact=True)).to_have_count(2)


async def test_the_studio_lives_through_lost_connections_and_a_killed_gateway(
    studio: Studio, hero: Path, motion: Path
) -> None:
    """What was attached and ordered without a connection goes out by itself, once."""
    page, system = studio.page, studio.system
    slow_engine(system, 4)
    await page.context.set_offline(True)
    await studio.attach(hero)
    await expect(studio.chip("Ground Truth")).to_contain_text("Waiting for the connection")
    await page.context.set_offline(False)
    await expect(studio.chip("Ground Truth")).to_contain_text("320 × 480")

    await studio.attach(motion)
    await studio.prompt.fill(WORDS)
    await expect(studio.generate_button).to_have_attribute("aria-disabled", "false")
    await page.context.set_offline(True)
    await studio.generate()
    await expect(studio.cards.first).to_contain_text("Not sent yet")
    await page.context.set_offline(False)
    await expect(studio.card("executing")).to_have_count(1, timeout=GENERATION_MS)

    system.kill("gateway")
    await expect(page.get_by_text("Connection lost, trying again")).to_be_visible()
    await studio.shoot("connection-lost")
    await studio.finished()
    await expect(page.get_by_text("Connection lost, trying again")).to_have_count(0)
    await expect(studio.cards).to_have_count(1)
