"""How things come onto the desk, and what is said of the engines before anything is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.async_api import Route, expect

from tests.browser.conftest import in_the_browser
from tests.browser.studio import Studio

pytestmark = in_the_browser
CAPABILITIES = "**/api/capabilities"


async def test_a_picture_is_pasted(studio: Studio, hero: Path) -> None:
    page = studio.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate(
        """async (bytes) => {
          const picture = new Blob([new Uint8Array(bytes)], {type: 'image/png'});
          await navigator.clipboard.write([new ClipboardItem({'image/png': picture})]);
        }""",
        list(hero.read_bytes()),
    )
    await studio.prompt.press("Control+v")
    await expect(studio.chip("Ground Truth")).to_contain_text("320 × 480")
    await expect(studio.prompt).to_have_value("")


async def test_chips_show_what_was_attached(
    studio: Studio, hero: Path, motion: Path, speech: Path
) -> None:
    await studio.attach(hero, motion)
    face = studio.chip("Ground Truth").get_by_role("presentation", include_hidden=True)
    await expect(face).to_have_js_property("complete", value=True)
    playing = studio.chip("Motion Video").locator("video")
    await expect(playing).to_have_js_property("paused", value=False)
    await expect(playing).to_have_js_property("muted", value=True)
    await studio.attach(speech)
    await expect(studio.chip("Audio").locator("canvas, svg").first).to_be_visible()
    await studio.shoot("chips")


async def test_an_example_is_loaded_beside_what_was_made_before(standing: Studio) -> None:
    await standing.open()
    await standing.page.get_by_role("button", name="Examples").click()
    shelf = standing.page.get_by_role("dialog", name="Examples")
    await expect(shelf.get_by_role("listitem")).to_have_count(3)
    await standing.shoot("examples")
    await shelf.get_by_role("listitem").last.get_by_role("button").click()
    await expect(shelf).to_have_count(0)
    await expect(standing.chip("Audio")).to_contain_text("0:0")
    await expect(standing.generate_button).to_have_attribute("aria-disabled", "false")


async def test_what_was_ordered_is_seen_whatever_was_looked_for(
    studio: Studio, hero: Path, motion: Path
) -> None:
    page = studio.page
    search = page.get_by_role("searchbox", name="Search your prompts")
    await studio.fill(hero, motion, "She walks through the morning light")
    await studio.generate()
    await studio.finished()
    await search.fill("nobody asked for this")
    await expect(studio.cards).to_have_count(0)
    await studio.generate_button.click()
    await expect(studio.cards).to_have_count(2)
    await expect(search).to_have_value("")
    await studio.finished(2)


async def test_a_crowded_queue_and_what_the_engines_lack_are_said(standing: Studio) -> None:
    warning = {
        "code": "queue_saturated",
        "lane": "comfyui-animate-fp8",
        "sentence": "Many videos wait for the generator.",
        "remedy": "Yours starts by itself; it takes longer than usual.",
    }

    async def crowded(route: Route) -> None:
        told: dict[str, Any] = await (await route.fetch()).json()
        told["queue_warnings"] = [warning]
        for mode in told["modes"]:
            if mode["mode"] == "audio_performance":
                for submode in mode["submodes"]:
                    submode |= {"available": False, "missing": ["a file", "a node"]}
        await route.fulfill(json=told)

    page = standing.page
    await page.route(CAPABILITIES, crowded)
    await standing.open()
    banner = page.get_by_role("status").filter(has_text=warning["sentence"])
    await expect(banner).to_contain_text(warning["remedy"])
    await page.get_by_role("button", name=re.compile("^What to make")).click()
    lacking = page.get_by_role("menuitemradio", name=re.compile("^Audio performance"))
    await expect(lacking).to_be_disabled()
    await expect(lacking).to_contain_text("lacks 2 parts")
    await lacking.click(force=True)
    await standing.shoot("crowded")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="What to make: Audio performance")).to_have_count(
        0
    )


async def test_the_focus_is_seen_wherever_it_goes(standing: Studio) -> None:
    await standing.open()
    page = standing.page
    await expect(standing.cards.first).to_be_visible()
    names: list[str] = []
    ring = "getComputedStyle(document.querySelector('#composer')).boxShadow"
    at_rest = await page.evaluate(ring)
    while "TEXTAREA" not in names and len(names) < 60:
        await page.keyboard.press("Tab")
        name, seen = await page.evaluate(
            """() => {
              const at = document.activeElement;
              const outlined = [at, at.parentElement].map(getComputedStyle).some((look) =>
                look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2);
              return [at.getAttribute('aria-label') ?? at.tagName, outlined];
            }"""
        )
        names.append(name)
        assert seen or (name == "TEXTAREA" and await page.evaluate(ring) != at_rest), names
    assert {"Search your prompts", "Add files", "TEXTAREA"} <= set(names), names


async def test_a_style_is_shared_and_a_character_gets_another_version(
    studio: Studio, hero: Path
) -> None:
    page = studio.page
    await studio.attach(hero)
    await expect(studio.chip("Ground Truth")).to_contain_text("320 × 480")
    kept = page.get_by_role("dialog")

    async def keep_on(shelf: str, name: str) -> None:
        await page.get_by_role("button", name="Add files", exact=True).click()
        await page.get_by_role("menuitem", name=re.compile(f"^{shelf}")).click()
        if shelf == "Styles":
            await kept.get_by_label("Share with everybody").check()
        await kept.get_by_placeholder("Name").fill(name)
        await kept.get_by_role("button", name="Keep").click()

    for version in ("version 1", "version 2"):
        await keep_on("Characters", "Bea")
        await expect(kept.get_by_role("button", name=re.compile("^Bea"))).to_contain_text(version)
        await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Advanced").click()
    await page.get_by_label("Keywords").fill("neon, rain")
    await page.get_by_role("button", name="Quality: Standard").click()
    await page.get_by_role("menuitemradio", name=re.compile("^Draft")).click()
    await keep_on("Styles", "Night")
    style = kept.get_by_role("button", name=re.compile("^Night"))
    await expect(style).to_contain_text("shared with everybody, neon, rain")
    await page.keyboard.press("Escape")
    await page.get_by_label("Keywords").fill("")
    await page.get_by_role("button", name="Quality: Draft").click()
    await page.get_by_role("menuitemradio", name=re.compile("^High")).click()
    await page.get_by_role("button", name="Add files", exact=True).click()
    await page.get_by_role("menuitem", name=re.compile("^Styles")).click()
    await style.click()
    await expect(page.get_by_label("Keywords")).to_have_value("neon, rain")
    await expect(page.get_by_role("button", name="Quality: Draft")).to_be_visible()
