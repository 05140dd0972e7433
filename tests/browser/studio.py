"""The studio as a person works it: finds things by their names, never by how they are built.

Must not ask the API what the screen should show.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Locator, Page, expect

from tests.support.system import System

GENERATION_MS = 60_000
OUTPUT = Path(
    os.environ.get("ANIMATRIX_TEST_OUTPUT")
    or Path(__file__).resolve().parents[2] / "test-output" / "browser"
)
"""Where pictures and figures are kept; never committed."""


class Studio:
    """One open studio in one browser page."""

    def __init__(self, page: Page, system: System) -> None:
        """The page is not opened yet."""
        self.page = page
        self.system = system

    async def open(self, path: str = "/", *, url: str | None = None) -> None:
        """Open the studio (or another address of it) and wait until it can be used."""
        await self.page.goto((url or self.system.url) + path)
        if path.startswith("/?") or path == "/":
            await expect(self.prompt).to_be_visible()

    @property
    def prompt(self) -> Locator:
        """The text."""
        return self.page.get_by_role("textbox", name="Prompt", exact=True)

    @property
    def generate_button(self) -> Locator:
        """Generate."""
        return self.page.get_by_role("button", name="Generate", exact=True)

    @property
    def cards(self) -> Locator:
        """The cards of all runs, newest first."""
        return self.page.get_by_role("article")

    def card(self, status: str) -> Locator:
        """The cards in a state of the API."""
        return self.page.locator(f'article[data-status="{status}"]')

    async def attach(self, *files: Path, role: str | None = None) -> None:
        """Choose files through the plus button, for a role or for any."""
        await self.page.get_by_role("button", name="Add files", exact=True).click()
        item = re.compile(f"^{role or 'Add files'}")
        async with self.page.expect_file_chooser() as chooser:
            await self.page.get_by_role("menuitem", name=item).click()
        await (await chooser.value).set_files([str(path) for path in files])

    def chip(self, role: str) -> Locator:
        """An attachment by its role."""
        return self.page.get_by_role("button", name=re.compile(rf"^{role}\b(?! performance)"))

    async def choose_task(self, name: str) -> None:
        """Choose what to make."""
        await self.page.get_by_role("button", name=re.compile("^What to make")).click()
        await self.page.get_by_role("menuitemradio", name=re.compile(f"^{name}")).click()

    async def fill(self, hero: Path, driver: Path, words: str) -> None:
        """Everything that a video needs; the task follows from the files."""
        await self.attach(hero, driver)
        await self.prompt.fill(words)
        await expect(self.generate_button).to_have_attribute("aria-disabled", "false")

    async def generate(self) -> None:
        """Press Generate and see the card at once."""
        before = await self.cards.count()
        await self.generate_button.click()
        await expect(self.cards).to_have_count(before + 1)

    async def finished(self, count: int = 1) -> Locator:
        """Wait until so many videos are ready; the newest of them."""
        done = self.card("completed")
        await expect(done).to_have_count(count, timeout=GENERATION_MS)
        return done.first

    async def shoot(self, name: str) -> None:
        """Keep a picture of the screen as test output."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=OUTPUT / f"{name}.jpg", type="jpeg", quality=85)


def order_faults(system: System, *faults: dict[str, Any]) -> None:
    """Make the simulated engine misbehave; none mends it."""
    state = json.loads((system.var / "run" / "state.json").read_text())
    httpx.put(
        f"{state['engine']['url']}/simulator/faults", json={"faults": list(faults)}
    ).raise_for_status()


def slow_engine(system: System, seconds: float = 3.0, times: int | None = None) -> None:
    """Hold every generation for a while, so that it can be watched."""
    order_faults(system, {"kind": "slow", "class": "KSampler", "seconds": seconds, "times": times})


def pace_engine(system: System, step_s: float) -> None:
    """How long a step of the simulated sampling takes from now on, in seconds."""
    state = json.loads((system.var / "run" / "state.json").read_text())
    url = f"{state['engine']['url']}/simulator/speed"
    httpx.put(url, json={"step_s": step_s}).raise_for_status()
