"""Fuzzes the whole API by its own description: `python -m tests.fuzz.api`.

Starts a real system that needs credentials, makes what can be asked for (files, a finished job, a
key, a link), and lets schemathesis, which lives in an environment of its own, ask for everything as
an operator. No answer may be a 5xx; every operation must have answered 2xx at least once, but those
in UNREACHED.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from cli.demo_assets import CHARACTER, MOTION, SPEECH, demo_assets
from tests.support.system import System, running_system

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-fuzz.lock"
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"
STREAMS = "stream$"
METHODS = ("get", "post", "put", "patch", "delete")
Operation = tuple[str, str]

UNREACHED: dict[Operation, str] = {
    ("GET", "/api/stream"): "never ends; tests/gateway/test_streams.py reads it",
    ("GET", "/api/jobs/{job_id}/stream"): "as above",
    ("POST", "/api/admin/retry/{job_id}"): "needs a failed job",
    ("POST", "/api/jobs/{job_id}/retry"): "as above",
    ("GET", "/api/jobs/{job_id}/live-preview"): "needs a job that runs at this moment",
    ("POST", "/api/jobs/motion-clip"): "tests/gateway/test_motion_clip.py",
    ("GET", "/api/jobs/{job_id}/export/{sha256}"): "tests/gateway/test_exporting.py",
    ("GET", "/api/admin/workflows/{name}/diff"): "tests/gateway/test_workflows.py",
    ("POST", "/api/admin/workflows/activate"): "as above",
    ("POST", "/api/admin/workflows/rollback"): "as above",
    ("POST", "/api/webhooks"): "needs a public address; tests/gateway/test_webhooks.py",
    ("GET", "/api/webhooks/{webhook_id}"): "as above",
    ("DELETE", "/api/webhooks/{webhook_id}"): "as above",
    ("GET", "/api/webhooks/{webhook_id}/deliveries"): "as above",
    ("POST", "/api/webhooks/{webhook_id}/enable"): "as above",
    ("POST", "/api/session"): "tests/gateway/test_sessions.py signs in",
    ("DELETE", "/api/session"): "as above, and signs out",
    ("POST", "/api/admin/webhooks/deliveries/{delivery_id}/redeliver"): "needs a delivery",
    ("GET", "/api/admin/dead-letters/{sequence}"): "needs a dead letter",
    ("POST", "/api/admin/dead-letters/{sequence}/replay"): "needs a dead letter",
    ("POST", "/api/admin/dead-letters/{sequence}/discard"): "needs a dead letter",
}
"""Operations whose 2xx is shown by tests of their own, and why not here."""


def environment(folder: Path) -> Path:
    """An environment with schemathesis, made once per lock file; returns the program."""
    program = folder / "bin" / "schemathesis"
    stamp = folder / "requirements.lock"
    current = stamp.read_text() if stamp.exists() else ""
    if not program.exists() or current != LOCK.read_text():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
        install = [uv, "pip", "install", "-q", "--require-hashes", "-r", str(LOCK)]
        subprocess.run([*install, "--python", str(folder / "bin" / "python")], check=True)
        stamp.write_text(LOCK.read_text())
    return program


class Scene:
    """What there is to ask for, and which operations have answered 2xx."""

    def __init__(self, http: httpx.Client) -> None:
        """Nothing is made yet."""
        self.http = http
        self.reached: set[Operation] = set()
        self.ids: dict[str, str] = {}
        self.spare: dict[Operation, dict[str, str]] = {}

    def call(self, method: str, template: str, ids: dict[str, str], **sent: Any) -> Any:
        """One good request; notes its operation. Raises AssertionError when it is refused."""
        answer = self.http.request(method, template.format(**ids), **sent)
        assert answer.is_success, f"{method} {template}: {answer.status_code} {answer.text[:300]}"
        self.reached.add((method, template))
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else {}

    def prepare(self) -> None:
        """Make files, a finished job, a cancelled one, keys and links."""
        assets = demo_assets()
        found = {}
        for kind, name in (("image", CHARACTER), ("video", MOTION), ("audio", SPEECH)):
            with assets[name].path.open("rb") as source:
                sent = {"file": (assets[name].path.name, source)}
                found[kind] = self.call("POST", f"/api/assets/{kind}", {}, files=sent)["asset_id"]
        body = {
            "ground_truth_asset_id": found["image"],
            "motion_video_asset_id": found["video"],
            "prompt": "She waves.",
            "quality_profile": "draft",
        }
        finished = self.call("POST", "/api/jobs/animate", {}, json=body)["job_id"]
        gone = self.call("POST", "/api/jobs/animate", {}, json=body)["job_id"]
        self.call("POST", "/api/jobs/preview", {}, json={"mode": "animate", **body})
        speech = {**body, "audio_asset_id": found["audio"]}
        del speech["motion_video_asset_id"]
        self.call("POST", "/api/jobs/audio-performance", {}, json=speech)
        self.call("POST", "/api/jobs/{job_id}/cancel", {"job_id": gone})
        self._ended(gone)
        prompt_id = self._ended(finished)["comfy_prompt_id"]
        self.ids = {
            "job_id": finished,
            "asset_id": found["image"],
            "comfy_prompt_id": prompt_id,
            "name": "video.mp4",
        }
        key = {"owner": "ann", "role": "viewer"}
        made = self.call("POST", "/api/admin/keys", {}, json=key)
        self.spare["DELETE", "/api/admin/keys/{key_id}"] = {"key_id": made["key_id"]}
        self.spare["DELETE", "/api/jobs/{job_id}"] = {"job_id": gone}
        share, link = "/api/jobs/{job_id}/share", "/api/jobs/{job_id}/share/{share_id}"
        shown = self.call("POST", share, self.ids, json={})
        self.ids["token"] = shown["url"].rpartition("/")[2]
        spare = self.call("POST", share, self.ids, json={})["share_id"]
        self.spare["DELETE", link] = {"job_id": finished, "share_id": spare}
        self.call("DELETE", link, self.spare["DELETE", link])
        self._more(found)
        self.spare["GET", "/api/demo/files/{name}"] = {"name": assets[CHARACTER].path.name}

    def _more(self, found: dict[str, str]) -> None:
        """Jobs of the other modes, and a character from its making to its end."""
        start = {"prompt": "Dawn.", "start_frame_asset_id": found["image"]}
        self.call("POST", "/api/jobs/start-end", {}, json=start)
        posed = {"prompt": "She waves.", "ground_truth_asset_id": found["image"]}
        posed["control_video_asset_id"] = found["video"]
        self.call("POST", "/api/jobs/pose-control", {}, json=posed)
        content = {"name": "Ann", "ground_truth_asset_id": found["image"]}
        made = self.call("POST", "/api/characters", {}, json=content)
        one, ids = "/api/characters/{character_id}", {"character_id": made["character_id"]}
        self.call("GET", one, ids)
        self.call("PUT", one, ids, json={**content, "name": "Ann again"})
        self.call("DELETE", one, ids)

    def _ended(self, job_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            job: dict[str, Any] = self.http.get(f"/api/jobs/{job_id}").json()
            if job["status"] in ("completed", "cancelled"):
                return job
            assert job["status"] != "failed", job
            time.sleep(0.3)
        raise AssertionError(f"{job_id} did not end")

    def described(self) -> dict[str, Any]:
        """The API's description, with ids that exist as examples."""
        document: dict[str, Any] = self.http.get("/api/openapi.json").json()
        for method, template, operation in operations(document):
            ids = {**self.ids, **self.spare.get((method, template), {})}
            named = {p["name"] for p in operation.get("parameters", ()) if p["required"]}
            if method == "GET" and named <= ids.keys() and (method, template) not in UNREACHED:
                self.call(method, template, ids)
        for method, template, operation in operations(document):
            ids = {**self.ids, **self.spare.get((method, template), {})}
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in ids:
                    parameter["example"] = ids[parameter["name"]]
        return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path template and description of every operation."""
    for template, described in document["paths"].items():
        for method in METHODS:
            if method in described:
                yield method.upper(), template, described[method]


def answered(har: Path, document: dict[str, Any]) -> tuple[set[Operation], list[str], int]:
    """From a HAR file: the operations that answered 2xx, every 5xx, and how many requests."""
    patterns = [
        (method, template, re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(template)) + "$"))
        for method, template, _ in sorted(operations(document), key=lambda o: o[1].count("{"))
    ]
    reached, broken = set(), []
    entries = json.loads(har.read_text())["log"]["entries"]
    for entry in entries:
        method, url = entry["request"]["method"], entry["request"]["url"]
        status = entry["response"]["status"]
        if status >= 500:
            broken.append(f"{status} {method} {url}")
        path = urlsplit(url).path
        if 200 <= status < 300:
            for known, template, pattern in patterns:
                if known == method and pattern.match(path):
                    reached.add((method, template))
                    break
    return reached, broken, len(entries)


def fuzz(system: System, token: str, program: Path, folder: Path, *, examples: int) -> int:
    """Ask for everything; says what came of it and returns the exit code."""
    authorization = f"Bearer {token}"
    with httpx.Client(
        base_url=system.url, headers={"Authorization": authorization}, timeout=60
    ) as http:
        scene = Scene(http)
        scene.prepare()
        document = scene.described()
    description, har = folder / "openapi.json", folder / "report.har"
    description.write_text(json.dumps(document))
    began = time.monotonic()
    run = subprocess.run(
        [
            str(program),
            *("run", str(description), "--url", system.url),
            *("-H", f"Authorization: {authorization}", "--request-timeout", "60"),
            *("--phases", "examples,fuzzing", "--max-examples", str(examples)),
            *("--checks", CHECKS, "--exclude-path-regex", STREAMS, "--continue-on-failure"),
            *("--seed", "1", "--no-color", "--report", "har", "--report-har-path", str(har)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    reached, broken, requests = answered(har, document)
    every = {(method, template) for method, template, _ in operations(document)}
    missing = sorted(every - reached - scene.reached - set(UNREACHED))
    took_s = time.monotonic() - began
    sys.stdout.write(f"{run.stdout[-6000:] if run.returncode else ''}\n")
    sys.stdout.write(
        f"{requests} requests to {len(every)} operations in {took_s:.0f} s: "
        f"{len(broken)} answered 5xx, {len(missing)} never answered 2xx\n"
    )
    for line in [*broken[:20], *(f"never 2xx: {method} {path}" for method, path in missing)]:
        sys.stdout.write(f"  {line}\n")
    return int(bool(run.returncode or broken or missing))


def main() -> None:
    """Start a system, fuzz it, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / "test-output" / "schemathesis")
    parser.add_argument("--examples", type=int, default=5, help="per operation, at most")
    asked = parser.parse_args()
    program, token = environment(asked.environment), secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="animatrix-fuzz-") as folder:
        settings = {
            "ANIMATRIX_GATEWAY_API_TOKEN": token,
            "ANIMATRIX_GATEWAY_SUBMITS_PER_MINUTE": "0",
            "COMFYUI_SIMULATOR_SPEED": "0",
        }
        with running_system(Path(folder) / "var", **settings) as system:
            code = fuzz(system, token, program, Path(folder), examples=asked.examples)
    sys.exit(code)


if __name__ == "__main__":
    main()
