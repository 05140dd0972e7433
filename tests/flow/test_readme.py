"""The README's walk-through works as written, and the files it links to exist."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from pathlib import Path

from tests.support.system import System

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


async def test_the_curl_walk_through_works_as_written(system: System, tmp_path: Path) -> None:
    found = re.search(r"<!-- walk-through:.*?```sh\n(.*?)```", README, re.S)
    assert found
    script = found[1].replace("FILES=cli/", f"FILES={ROOT}/cli/")
    running = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        cwd=tmp_path,
        env={**os.environ, "URL": system.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(running.communicate(), 100)
    assert running.returncode == 0, output.decode()
    assert b"completed" in output
    video = (tmp_path / "video.mp4").read_bytes()
    manifest = json.loads((tmp_path / "job_manifest.json").read_text())
    assert manifest["delivered_sha256"] == hashlib.sha256(video).hexdigest()


def test_every_page_that_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert (ROOT / target).exists(), target
