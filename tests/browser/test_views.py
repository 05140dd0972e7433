"""Everything that is seen less often: each state of a run, each dialog, pages beside the studio."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.conftest import in_the_browser, open_page
from tests.browser.looking import JUDGED, look
from tests.browser.studio import Studio
from tests.support.media import Size, photo

pytestmark = in_the_browser
ERROR = {
    "code": "engine_out_of_memory",
    "failure_class": "engine_out_of_memory",
    "sentence": "The generator had too little memory for this video.",
    "remedy": "Try a shorter one, or a lower quality.",
    "retryable": True,
}


def in_every_state(job: dict[str, Any]) -> list[dict[str, Any]]:
    """A job as it looks in each state of its life."""
    undelivered = {**job, "poster_url": None, "video_url": None, "progress": None}
    progress = {**job["progress"], "phase": "generating", "percent": 46.0, "done": False}
    changes: list[dict[str, Any]] = [
        {"status": "uploaded"},
        {"status": "queued", "queue": {"position": 3, "eta_low_s": 130, "eta_high_s": 290}},
        {"status": "executing", "progress": progress},
        {"status": "collecting_outputs"},
        {"status": "failed", "error": ERROR, "attempt": 2},
        {"status": "cancelled"},
    ]
    return [
        {**undelivered, **change, "job_id": f"00000000-0000-7000-8000-{at:012}"}
        for at, change in enumerate(changes)
    ]


@pytest.mark.parametrize("width", JUDGED)
async def test_every_state_of_a_run_is_accessible(
    browser: Browser, standing: Studio, width: int
) -> None:
    async with standing.system.http() as http:
        [job] = (await http.get("/api/jobs?limit=1")).json()["jobs"]

    async def answer(route: Route) -> None:
        await route.fulfill(json={"jobs": in_every_state(job), "next_cursor": None})

    async with open_page(browser, width=width, height=5000) as page:
        await page.route(re.compile(r"/api/jobs\?"), answer)
        studio = Studio(page, standing.system)
        await studio.open()
        await expect(studio.cards).to_have_count(6)
        await expect(studio.card("queued")).to_contain_text("2 ahead of you, 2 to 5 minutes")
        await look(studio, "states", width)


@pytest.mark.parametrize("width", JUDGED)
async def test_every_dialog_and_page_beside_the_studio_is_accessible(
    browser: Browser, standing: Studio, hero: Path, tmp_path: Path, width: int
) -> None:
    async with standing.system.http() as http:
        [job] = (await http.get("/api/jobs?limit=1")).json()["jobs"]
        shared = (await http.post(f"/api/jobs/{job['job_id']}/share", json={})).json()["url"]
    async with open_page(browser, width=width) as page:
        studio = Studio(page, standing.system)
        await studio.open()
        await page.get_by_role("button", name="Examples").click()
        await expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(3)
        await look(studio, "examples", width)
        await page.keyboard.press("Escape")
        for shelf in ("Characters", "Styles"):
            await page.get_by_role("button", name="Add files", exact=True).click()
            await page.get_by_role("menuitem", name=re.compile(f"^{shelf}")).click()
            await expect(page.get_by_role("dialog", name=shelf)).to_be_visible()
            await look(studio, shelf.lower(), width)
            await page.keyboard.press("Escape")
        card = studio.card("completed").first
        await card.get_by_role("button", name="More actions").click()
        await look(studio, "card-menu", width)
        await page.get_by_role("menuitem", name="Delete").click()
        await look(studio, "sure", width)
        await page.keyboard.press("Escape")

        (tmp_path / "notes.txt").write_text("no picture")
        await studio.prompt.click()
        await studio.choose_task("Motion clip")
        await studio.attach(photo(tmp_path / "still.png", size=Size(320, 480), format="PNG"))
        await studio.attach(tmp_path / "notes.txt")
        await expect(page.get_by_role("region", name="Motion clip")).to_be_visible()
        await look(studio, "motion-clip", width)

        await studio.open("/console/letters")
        await expect(page.get_by_text("None.").first).to_be_visible()
        await look(studio, "console-letters", width)
        await page.goto(standing.system.url + shared.removeprefix("/api"))
        await expect(page.get_by_label("Shared video")).to_be_visible()
        await look(studio, "shared", width)
