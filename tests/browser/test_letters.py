"""What services gave up and what webhooks were told, in the console. A gateway by itself serves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, async_playwright, expect

from contracts.subjects import CONSUMERS
from runtime.ids import new_id
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.gateway.receiver import Receiver
from tests.support.gateway import World, whole_job
from tests.support.promised import skip_or_fail
from tests.support.waiting import eventually

TRACES = "https://traces.example/search?job={job_id}"


@pytest.fixture
def gateway_settings(built: Path) -> dict[str, Any]:
    """It serves the studio, knows where traces are and may tell webhooks on this machine."""
    return {
        "studio_dir": built,
        "trace_url_template": TRACES,
        "webhook_allowed_networks": ["127.0.0.0/8"],
    }


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    """A page in a browser of the test's own."""
    if CHROMIUM is None:
        skip_or_fail("Chromium is not installed (on Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield await browser.new_page()
        await browser.close()


async def give_up_on(world: World, job_id: str) -> None:
    """A job whose first message its service gave up."""
    await world.say(whole_job(job_id)[0])
    (consumer,) = [one for one in CONSUMERS if one.durable == "ingest-jobs"]
    delivery = await world.buses["ingest"].fetch(consumer, timeout_s=5)
    assert delivery is not None
    await delivery.terminate()
    await world.reaches(job_id, "failed")


async def test_dead_letters_are_delivered_again_or_discarded(world: World, page: Page) -> None:
    replayed, discarded = new_id(), new_id()
    for job_id in (replayed, discarded):
        await give_up_on(world, job_id)
    await page.goto(f"{world.http.base_url}/console/letters")
    letters = page.get_by_role("region", name="Dead letters")

    async def settle(job_id: str, action: str, says: str) -> Locator:
        letter = letters.get_by_role("row").filter(has_text=job_id[-12:])
        await expect(letter).to_contain_text("open")
        await letter.get_by_role("button", name="Message").click()
        await expect(letter.get_by_label("Message")).to_contain_text("job_submitted")
        await letter.get_by_role("button", name=action).click()
        await expect(page.get_by_role("dialog")).to_contain_text(says)
        await page.get_by_role("button", name="Do it").click()
        await expect(letter.get_by_role("button", name=action)).to_have_count(0)
        return letter

    letter = await settle(replayed, "Deliver again", "goes to its service once more")
    await expect(letter).to_contain_text("replayed, local")
    await world.reaches(replayed, "accepted")
    letter = await settle(discarded, "Discard", "not delivered again")
    await expect(letter).to_contain_text("discarded, local")

    await letter.get_by_role("link").click()
    await expect(page.get_by_role("link", name="Open the trace")).to_have_attribute(
        "href", TRACES.replace("{job_id}", discarded)
    )


async def test_webhook_deliveries_are_seen_with_every_try_and_sent_again(
    world: World, page: Page
) -> None:
    receiver = Receiver()
    async with receiver.listening():
        receiver.answers(500, "out of order")
        hook = {"url": receiver.url, "events": ["job.completed"]}
        assert (await world.http.post("/api/webhooks", json=hook)).status_code == 201
        await world.say(*whole_job(job_id := new_id()))
        await eventually(lambda: len(receiver.got) == 1)
        await page.goto(f"{world.http.base_url}/console/letters")
        told = page.get_by_role("region", name="Webhook deliveries").get_by_role("row").last
        await expect(told).to_contain_text(job_id[-12:])
        await expect(told).to_contain_text("pending")
        await told.get_by_text(re.compile(r"^\d+ tr(y|ies)$")).click()
        await expect(told).to_contain_text("out of order")
        receiver.answers(200, "thank you")
        await told.get_by_role("button", name="Send again").click()
        await expect(page.get_by_role("dialog")).to_contain_text("with the same id")
        await page.get_by_role("button", name="Do it").click()
        await expect(told).to_contain_text("delivered")
        assert len(set(receiver.ids)) == 1
