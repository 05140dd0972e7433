"""Signing in with a key, and who may enter the console. A gateway by itself serves the studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright, expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.support.gateway import TOKEN, World
from tests.support.promised import skip_or_fail


@pytest.fixture
def gateway_settings(built: Path) -> dict[str, Any]:
    """It serves the studio."""
    return {"studio_dir": built}


async def test_a_key_opens_the_studio_and_an_operators_key_the_console(guarded: World) -> None:
    issued = await guarded.http.post(
        "/api/admin/keys",
        json={"owner": "ann", "role": "creator"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert issued.status_code == 201, issued.text
    url = str(guarded.http.base_url)
    if CHROMIUM is None:
        skip_or_fail("Chromium is not installed (on Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        console = page.get_by_role("link", name="Console")
        prompt = page.get_by_role("textbox", name="Prompt", exact=True)

        async def sign_in(key: str) -> None:
            await page.get_by_label("Access key").fill(key)
            await page.get_by_role("button", name="Sign in").click()

        await page.goto(url)
        await sign_in("not a key")
        await expect(page.get_by_label("Access key")).to_have_attribute("aria-invalid", "true")
        await sign_in(issued.json()["key"])
        await expect(prompt).to_be_visible()
        await expect(console).to_have_count(0)
        [cookie] = await page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        await page.reload()
        await expect(prompt).to_be_visible()
        await page.goto(f"{url}/console")
        await expect(page.get_by_role("alert")).to_contain_text("The console is for operators.")
        await expect(page.get_by_role("table")).to_have_count(0)

        await page.goto(url)
        await prompt.fill("Nobody else's business")
        await page.get_by_role("button", name="Signed in as ann").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await expect(page.get_by_label("Access key")).to_be_visible()
        assert await page.context.cookies() == []
        await sign_in(TOKEN)
        await expect(prompt).to_have_value("")
        await console.click()
        await expect(page.get_by_role("region", name="Jobs")).to_be_visible()
        await browser.close()
