"""The studio's files and the sample projects, as the gateway serves them."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.gateway import problems
from services.gateway.routes import page, studio


class _Settings:
    def __init__(self, studio_dir: Path, demo_dir: Path | None) -> None:
        self.studio_dir, self.demo_dir = studio_dir, demo_dir


class _Deps:
    def __init__(self, settings: _Settings) -> None:
        self.settings = settings


def _client(studio_dir: Path, demo_dir: Path | None = None) -> httpx.AsyncClient:
    app = FastAPI()
    app.state.deps = _Deps(_Settings(studio_dir, demo_dir))
    problems.install(app)
    app.include_router(page.router)
    app.include_router(studio.router)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", follow_redirects=False
    )


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>studio</title>")
    (folder / "theme.js").write_text("theme()")
    (folder / "assets" / "index-abc.js").write_text("studio()")
    (folder / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(b"studio()"))
    (tmp_path / "secret.js").write_text("secret")
    return folder


async def test_the_studio_and_the_console_are_the_built_page(built: Path) -> None:
    async with _client(built) as http:
        for path in ("/", "/console", "/console/jobs/1", "/shared/ab.1.c"):
            answer = await http.get(path)
            assert answer.text == "<title>studio</title>"
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-cache"


async def test_without_a_built_studio_the_plain_page_is_served(tmp_path: Path) -> None:
    async with _client(tmp_path / "none") as http:
        answer = await http.get("/")
    assert answer.status_code == 200
    assert "<title>" in answer.text


async def test_assets_come_packed_and_are_kept_for_ever(built: Path) -> None:
    async with _client(built) as http:
        packed = await http.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
        plain = await http.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    assert (packed.text, packed.headers["content-encoding"]) == ("studio()", "gzip")
    assert "immutable" in packed.headers["cache-control"]
    assert plain.text == "studio()"
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/assets/..%2f..%2fsecret.js", "/..%2fsecret.js", "/secret.js", "/assets/"],
)
async def test_nothing_outside_the_built_studio_is_served(built: Path, path: str) -> None:
    async with _client(built) as http:
        assert (await http.get(path)).status_code == 404


async def test_sample_projects_name_files_that_can_be_fetched(built: Path) -> None:
    folder = Path(__file__).parents[2] / "cli" / "demo_assets" / "1.0.0"
    async with _client(built, folder) as http:
        projects = (await http.get("/api/demo")).json()["projects"]
        assert [p["task"] for p in projects] == ["move", "mix", "audio"]
        for project in projects:
            for file in project["files"]:
                answer = await http.get(file["url"])
                assert answer.content == (folder / file["name"]).read_bytes()
                assert answer.headers["content-type"] == file["mime_type"]
        assert (await http.get("/api/demo/files/manifest.json")).status_code == 404
        assert (await http.get("/api/demo/files/..%2f__init__.py")).status_code == 404


async def test_an_installation_without_samples_says_so(built: Path) -> None:
    async with _client(built) as http:
        assert (await http.get("/api/demo")).status_code == 404
