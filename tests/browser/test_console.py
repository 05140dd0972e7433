"""The operator console: finding a job, seeing all of it, acting on it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import in_the_browser
from tests.browser.studio import GENERATION_MS, Studio, order_faults, slow_engine
from tests.support.system import submit, upload
from tests.support.waiting import eventually

pytestmark = in_the_browser
WORDS = "Seen from behind the counter"


async def test_a_job_is_found_by_every_id_and_made_again_with_another_version(
    standing: Studio,
) -> None:
    studio, page = standing, standing.page
    async with studio.system.http() as http:
        [job] = (await http.get("/api/jobs?limit=1")).json()["jobs"]
    for wanted in (job["job_id"], job["comfy_prompt_id"]):
        await studio.open("/console")
        await page.get_by_role("searchbox").fill(wanted)
        await page.get_by_role("searchbox").press("Enter")
        await expect(page).to_have_url(re.compile(job["job_id"]))
    for event in ("job_submitted", "step_assigned", "job_completed"):
        await expect(page.get_by_text(event, exact=True)).to_be_visible()
    await page.get_by_text("Output manifest").click()
    await expect(page.get_by_label("Output manifest")).to_contain_text("render_sha256")
    await expect(page.get_by_role("link", name="video.mp4")).to_be_visible()
    await page.get_by_role("button", name="Graph of step 1").click()
    await expect(page.get_by_label("Graph of step 1")).to_contain_text("class_type")
    await page.get_by_text("Debug metadata").click()
    await expect(page.get_by_label("Debug metadata")).to_contain_text("engine_messages")
    await page.get_by_text("Settings of stage 1").click()
    await expect(page.get_by_label("Settings of stage 1")).to_contain_text('"segments"')
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy Job", exact=True).click()
    await expect(page.get_by_role("button", name="Job copied", exact=True)).to_be_focused()
    assert await page.evaluate("navigator.clipboard.readText()") == job["job_id"]
    created = page.get_by_role("definition").filter(has=page.locator("time"))
    await expect(created).to_contain_text(
        re.compile(r"(just now|ago|last|yesterday).* · .*\d:\d\d")
    )

    await page.get_by_role("button", name="Make again").click()
    await page.get_by_label("Workflow version").select_option("1.0.0")
    await page.get_by_role("button", name="Do it").click()
    await expect(page).not_to_have_url(re.compile(job["job_id"]))
    # Once among the facts, and once more when the resolved stages have come.
    await expect(page.get_by_text("wan22_animate_move@1.0.0", exact=True).first).to_be_visible()
    await expect(page.get_by_text("job_completed", exact=True)).to_be_visible(timeout=GENERATION_MS)

    await studio.open("/console")
    asset_id = job["assets"][0]["asset_id"]
    await page.get_by_role("searchbox").fill(asset_id)
    await page.get_by_role("searchbox").press("Enter")
    await expect(page.get_by_text(f"Jobs that name the asset {asset_id}")).to_be_visible()
    await expect(page.get_by_role("link", name=job["job_id"][-12:])).to_be_visible()

    await page.get_by_role("searchbox").fill("nonsense")
    await page.get_by_role("searchbox").press("Enter")
    await expect(page.get_by_text("This is not an id.")).to_be_visible()


async def test_a_running_job_is_cancelled_from_the_console(
    studio: Studio, hero: Path, motion: Path
) -> None:
    slow_engine(studio.system, 30)
    await studio.fill(hero, motion, WORDS)
    await studio.generate()
    await expect(studio.card("executing")).to_have_count(1)
    page = studio.page
    await studio.open("/console")
    await page.get_by_role("row").last.get_by_role("link").click()
    await page.get_by_role("button", name="Cancel job").click()
    await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_text("job_cancelled", exact=True)).to_be_visible(timeout=20_000)


async def test_a_failed_job_is_made_again_from_a_step_of_its_own(
    studio: Studio, hero: Path, motion: Path
) -> None:
    page = studio.page
    order_faults(studio.system, {"kind": "oom", "class": "KSampler"})
    await studio.fill(hero, motion, WORDS)
    await studio.generate()
    await expect(studio.card("failed")).to_have_count(1, timeout=GENERATION_MS)
    order_faults(studio.system)
    await studio.open("/console")
    await page.get_by_role("row").last.get_by_role("link").click()
    await page.get_by_role("button", name="Make again").click()
    await page.get_by_label("From").select_option("composing")
    await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_text("job_completed", exact=True)).to_be_visible(timeout=GENERATION_MS)
    await expect(page.get_by_text("job_composed", exact=True)).to_have_count(2)


async def test_a_job_shows_what_its_pose_sheet_was_to_say(
    standing: Studio, hero: Path, motion: Path
) -> None:
    studio, page = standing, standing.page
    async with studio.system.http() as http:
        sheet = await upload(http, "image", hero)
        poses = {"poses": [{"hint": "Arms raised"}, {"hint": "Turned away"}]}

        async def mapped() -> bool:
            answer = await http.put(f"/api/admin/assets/{sheet}/key-poses", json=poses)
            return answer.status_code == 200

        await eventually(mapped)
        body = {
            "prompt": WORDS,
            "ground_truth_asset_id": sheet,
            "motion_video_asset_id": await upload(http, "video", motion),
            "pose_sheet_asset_ids": [sheet],
        }
        job_id = await submit(http, "animate", body)
    await studio.open(f"/console/jobs/{job_id}")
    hints = page.get_by_role("region", name="Key pose hints")
    await expect(hints.get_by_role("cell", name="Arms raised")).to_be_visible()
    await expect(hints.get_by_role("cell", name="Turned away")).to_be_visible()
    await studio.shoot("console-key-poses")


async def test_queue_engines_and_workflows_are_shown_and_governed(standing: Studio) -> None:
    studio, page = standing, standing.page

    async def do(name: str) -> None:
        await page.get_by_role("button", name=name, exact=True).first.click()
        await page.get_by_role("button", name="Do it").click()

    await studio.open("/console/queue")
    await expect(page.get_by_role("cell", name="comfyui-animate-fp8").first).to_be_visible()
    await do("Pause everything")
    await expect(page.get_by_role("region", name="Paused now")).to_contain_text("all")
    await expect(page.get_by_role("cell", name="paused", exact=True).first).to_be_visible()
    await do("Resume everything")
    await expect(page.get_by_role("region", name="Paused now")).to_have_count(0)

    lane = page.get_by_role("row").filter(has_text="comfyui-animate-fp8")
    await lane.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.get_by_role("dialog")).to_contain_text("No new step begins")
    await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_role("cell", name="paused", exact=True)).to_have_count(1)
    await lane.get_by_role("button", name="Resume", exact=True).click()
    await page.get_by_role("button", name="Do it").click()
    await expect(page.get_by_role("cell", name="paused", exact=True)).to_have_count(0)

    await page.get_by_role("link", name="System").click()
    engine = page.get_by_role("row").filter(has_text="simulated").first
    await engine.get_by_text(re.compile("^lacks")).click()
    await expect(engine.get_by_label(re.compile("^lacks"))).to_contain_text("node_classes")
    storage = page.get_by_role("region", name="Storage")
    await expect(storage.get_by_role("cell", name="delivered video")).to_be_visible()
    await expect(page.get_by_role("region", name="New per day")).to_contain_text("20")

    await page.get_by_role("link", name="Workflows").click()
    old = page.get_by_role("row").filter(has_text="wan22_animate_move@1.0.0")
    new = page.get_by_role("row").filter(has_text="wan22_animate_move@1.1.0")
    await expect(new.first).to_contain_text("active")
    await expect(new.first).to_contain_text("3 of 3 profiles run")
    await old.first.get_by_text("Compare with 1.1.0").click()
    await expect(old.first.get_by_label("Compare with 1.1.0")).to_contain_text("+++")
    await old.first.get_by_role("button", name="Activate").click()
    await page.get_by_role("button", name="Do it").click()
    await expect(old.first.get_by_role("button", name="Roll back")).to_be_visible()
    await old.first.get_by_role("button", name="Roll back").click()
    await page.get_by_role("button", name="Do it").click()
    await expect(new.first.get_by_role("button", name="Roll back")).to_be_visible()
