"""The studio's own checks: its unit tests, its lint with the walls between features, its types,
and how much of it is loaded at first. Needs no browser."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.studio import OUTPUT
from tests.support.promised import skip_or_fail

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
FIRST_VIEW_BYTES = 150 * 1024


@pytest.mark.timeout(300)
@pytest.mark.parametrize("script", ["test", "lint", "typecheck"])
def test_the_studio_passes_its_own(script: str) -> None:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    npm = shutil.which("npm", path=path)
    if npm is None:
        skip_or_fail("npm is not there: `make studio` brings it")
    if not (FRONTEND / "node_modules").is_dir():
        skip_or_fail("the studio's packages are not installed: run `make studio`")
    done = subprocess.run(
        [npm, "run", "--silent", script],
        cwd=FRONTEND,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_view_is_small(built: Path) -> None:
    """Scripts that the page names itself, and what they import at once; the rest comes later."""
    page = (built / "index.html").read_text()
    scripts = set(re.findall(r'src="(/[^"]+\.js)"', page)) | set(
        re.findall(r'modulepreload"[^>]*href="(/[^"]+\.js)"', page)
    )
    assert scripts
    size = sum(len(gzip.compress((built / s.lstrip("/")).read_bytes(), 9)) for s in scripts)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "bundle.json").write_text(json.dumps({"first_view_gzip_bytes": size}))
    assert size < FIRST_VIEW_BYTES, f"{size} bytes of script, compressed"
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)
