"""A real Prometheus scrapes a running system: alerts and dashboards ask for what is there."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.conftest import Origin
from tests.support.media import Size, counter_video, photo
from tests.support.ports import free_port
from tests.support.promised import skip_or_fail
from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules" / "animatrix.yml"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
OPERATIONS = DEPLOY.parent / "docs" / "operations.md"
MAIN_PANELS = {
    "Age at each hop (p95)",
    "Waiting in JetStream",
    "Jobs accepted",
    "Mean generation time, by workflow",
    "Processes that answer",
    "HTTP requests by status",
    "Waiting for an engine",
    "Queue warnings",
    "Engine busy",
    "Memory",
    "Streams on disk",
}
pytestmark = pytest.mark.xdist_group("deploy")


@dataclass(frozen=True, slots=True)
class Watched:
    """A system and the Prometheus that scrapes it."""

    system: System
    url: str

    def query(self, expression: str) -> dict[str, Any]:
        """The answer to an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
        body: dict[str, Any] = answer.json()
        return body


def panels() -> list[tuple[str, str, str]]:
    """Dashboard, panel title and expression of every query."""
    found = []
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            found += [(path.stem, panel["title"], t["expr"]) for t in panel.get("targets", [])]
    return found


def alerts() -> list[dict[str, Any]]:
    """Every alert rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _config(system: System, folder: Path) -> Path:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    children = json.loads((system.var / "run" / "state.json").read_text())["children"]
    for target in config["scrape_configs"][0]["static_configs"]:
        port = children[target["labels"]["service"]]["ports"]["health"]
        target["targets"] = [f"127.0.0.1:{port}"]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def watched(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    binary = shutil.which("prometheus")
    if binary is None:
        skip_or_fail("no Prometheus: on Debian `apt-get install prometheus`")
    assert binary is not None
    folder, port, system = tmp_path_factory.mktemp("prometheus"), free_port(), origin.system
    command = [binary, f"--config.file={_config(system, folder)}"]
    command += [f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    url = f"http://127.0.0.1:{port}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait_until_ready(url, process, folder / "prometheus.log")
        yield Watched(system, url)
    finally:
        process.kill()
        process.wait(15)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """An open port is not enough: while its storage starts Prometheus answers 503 in plain text."""
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/-/ready", timeout=5).is_success:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text()[-2000:])


def test_promtool_accepts_configuration_and_rules(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        skip_or_fail("no promtool: on Debian `apt-get install prometheus`")
    assert promtool is not None
    for command, path in (
        (("check", "rules"), RULES),
        (("check", "config"), DEPLOY / "prometheus" / "prometheus.yml"),
    ):
        done = subprocess.run(
            [promtool, *command, str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_links_to_a_runbook_that_is_there() -> None:
    headings = re.findall(r"^#+ (.+)$", OPERATIONS.read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).strip().replace(" ", "-") for h in headings}
    for rule in alerts():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors, f"{rule['alert']} has no runbook"


def test_every_query_of_panels_and_alerts_is_understood(watched: Watched) -> None:
    asked = [(f"{board}: {title}", expr) for board, title, expr in panels()]
    asked += [(f"alert {rule['alert']}", rule["expr"]) for rule in alerts()]
    assert len(asked) > 30
    for what, expression in asked:
        assert watched.query(expression)["status"] == "success", f"{what}: {expression}"


async def test_the_main_panels_show_a_job_that_ran(watched: Watched, tmp_path: Path) -> None:
    hero = photo(tmp_path / "hero.png", size=Size(320, 480), format="PNG")
    motion = counter_video(tmp_path / "motion.mp4", frames=20, sound=False)
    wanted = {(title, expr) for _, title, expr in panels() if title in MAIN_PANELS}
    assert {title for title, _ in wanted} == MAIN_PANELS

    async def all_show_data() -> bool:
        return not [title for title, expr in wanted if not _values(watched.query(expr))]

    async with watched.system.http() as http:
        body = {
            "prompt": "She waves",
            "ground_truth_asset_id": await upload(http, "image", hero),
            "motion_video_asset_id": await upload(http, "video", motion),
            "quality_profile": "draft",
        }
        # Rates need a sample before a job and one after it.
        assert (await ended(http, await submit(http, "animate", body)))["status"] == "completed"
        await eventually(lambda: _scraped(watched), within_s=30)
        assert (await ended(http, await submit(http, "animate", body)))["status"] == "completed"
    await eventually(all_show_data, within_s=60)


async def _scraped(watched: Watched) -> bool:
    up = watched.query('up{job="animatrix"} == 1')["data"]["result"]
    return len(up) == 5


def _values(answer: dict[str, Any]) -> list[float]:
    assert answer["status"] == "success", answer
    numbers = [float(series["value"][1]) for series in answer["data"]["result"]]
    return [number for number in numbers if number == number]
