"""A view as everybody sees it: in both themes a picture is kept, axe judges, nothing sticks out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.async_api import Page

from tests.browser.conftest import FRONTEND, Theme
from tests.browser.studio import Studio

AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
THEMES: tuple[Theme, ...] = ("dark", "light")
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES: dict[Theme, dict[str, Any]] = {
    "dark": {"type": "tag", "values": STANDARDS},
    "light": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
"""In the second theme only what depends on colours is judged again."""
JUDGED = (360, 1280)
"""A larger window has the elements, colours and sizes of the one before, only further apart."""
AT_REST = """
    () => document.getAnimations().every(a =>
      a.playState !== 'running' || a.effect.getComputedTiming().iterations === Infinity)
"""


async def look(studio: Studio, name: str, width: int) -> None:
    """Keep the view as `name` and fail for anything that keeps somebody out."""
    page = studio.page
    for theme in THEMES:
        await page.emulate_media(color_scheme=theme)
        await page.wait_for_function(AT_REST)
        await studio.shoot(f"{name}-{theme}-{width}")
        if width in JUDGED:
            assert _names(await _axe(page, RULES[theme])) == [], (name, theme)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, name


async def _axe(page: Page, rules: dict[str, Any]) -> list[dict[str, Any]]:
    """Every violation of the rules on the page as it is."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
    )
    return list(found["violations"])


def _names(found: Sequence[dict[str, Any]]) -> list[str]:
    """What axe found, short enough to read in a failure."""
    return [f"{v['id']}: {[n['html'][:160] for n in v['nodes']][:4]}" for v in found]
