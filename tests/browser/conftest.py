"""A real Chromium, the built studio and a running system. What is absent is skipped, or fails
where it is promised.

Browser and system are started once for all tests, which therefore run in one event loop and one
worker; a page is a test's own. Must not hand a test anything that an earlier one left open.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest
import pytest_asyncio

pytest.importorskip("playwright", reason="the browser tests need the package playwright")

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
    expect,
)

from tests.browser.studio import Studio, order_faults
from tests.support.gateway import gateway, gateway_settings, guarded, world
from tests.support.media import Size, counter_video, photo, tone
from tests.support.promised import skip_or_fail
from tests.support.system import System, ended, running_system, submit, upload

__all__ = ["gateway", "gateway_settings", "guarded", "world"]

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
DIST = FRONTEND / "dist"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
]
FORGIVEN = ("Failed to load resource",)
"""What Chromium itself writes for every refused request: refusals are part of the tests."""
OURS = ("http://127.0.0.1:", "blob:http://127.0.0.1:", "data:")
"""Where a page may ask: the studio loads nothing from anybody else."""

Theme = Literal["light", "dark"]
expect.set_options(timeout=15_000)  # generous: other tests keep the machine busy meanwhile

in_the_browser = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]
"""What every module of tests with a browser marks itself with."""


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built studio, which the gateway serves."""
    if not (DIST / "index.html").is_file():
        skip_or_fail("the studio is not built: run make studio")
    return DIST


@pytest.fixture(scope="session")
def system(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system. A test that kills a part of it waits until the part is back."""
    with running_system(
        tmp_path_factory.mktemp("system") / "var",
        COMFYUI_SIMULATOR_SPEED="0",
        ANIMATRIX_GATEWAY_SIZE_OVERRIDE="96x160",
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test ordered of the simulated engine ends with it, and so does a pause."""
    yield
    if "system" in request.fixturenames:
        system: System = request.getfixturevalue("system")
        order_faults(system)
        httpx.post(f"{system.url}/api/admin/queue/resume", json={}).raise_for_status()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    if CHROMIUM is None:
        skip_or_fail("Chromium is not installed (on Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


@asynccontextmanager
async def open_page(
    browser: Browser, *, width: int = 1280, height: int = 800, reduced_motion: bool = False
) -> AsyncIterator[Page]:
    """A page in a context of its own, on which nothing may go wrong unseen.

    Errors of the script and requests to any other machine fail the test.
    """
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark",
        reduced_motion="reduce" if reduced_motion else "no-preference",
    )
    opened = await context.new_page()
    wrong: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(FORGIVEN):
            wrong.append(message.text)

    def on_request(request: Request) -> None:
        if not request.url.startswith(OURS):
            wrong.append(f"asked {request.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("request", on_request)
    yield opened
    await context.close()
    assert wrong == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of the test's own."""
    async with open_page(browser) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def studio(page: Page, system: System) -> Studio:
    """The studio, opened, without any run of an earlier test."""
    return await fresh_studio(page, system)


async def fresh_studio(page: Page, system: System) -> Studio:
    """The studio of a system whose ended runs were deleted."""
    await delete_runs(system)
    opened = Studio(page, system)
    await opened.open()
    return opened


@pytest_asyncio.fixture(loop_scope="session")
async def standing(page: Page, system: System, hero: Path, motion: Path) -> Studio:
    """The studio, not opened yet, with at least one finished video, newest of all."""
    async with system.http() as http:
        newest = (await http.get("/api/jobs?limit=1")).json()["jobs"]
        if [(job["status"], job["mode"]) for job in newest] != [("completed", "animate")]:
            body = {
                "prompt": "She walks through the morning light",
                "ground_truth_asset_id": await upload(http, "image", hero),
                "motion_video_asset_id": await upload(http, "video", motion),
            }
            job = await ended(http, await submit(http, "animate", body))
            assert job["status"] == "completed", job
    return Studio(page, system)


async def delete_runs(system: System) -> None:
    """Cancel and delete every run, so that a test sees only its own."""
    async with system.http() as http:
        for job in (await http.get("/api/jobs?limit=200")).json()["jobs"]:
            job_id = job["job_id"]
            await http.post(f"/api/jobs/{job_id}/cancel")
            for _ in range(200):
                if (await http.delete(f"/api/jobs/{job_id}")).status_code in (204, 404):
                    break


@pytest.fixture(scope="session")
def hero(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A character image."""
    path = tmp_path_factory.mktemp("hero") / "hero.png"
    return photo(path, size=Size(320, 480), format="PNG")


@pytest.fixture(scope="session")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short motion video with sound."""
    return counter_video(tmp_path_factory.mktemp("motion") / "motion.mp4", frames=36, sound=True)


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short sound."""
    return tone(tmp_path_factory.mktemp("speech") / "speech.wav", duration_s=1.3)
