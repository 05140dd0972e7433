"""Detection of what a WebUI can do, and what its snapshot keeps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from engines.webui import (
    Backoff,
    Basic,
    CapabilitySnapshot,
    EngineAddress,
    EngineRefused,
    EngineUnreachable,
    ProtocolError,
    WebUIClient,
    animatediff_ready,
    deforum_ready,
    probe,
    stills_ready,
    upscaling_ready,
)
from tests.support.webui import WebUISimulator, start_webui


@pytest.fixture
def webui(tmp_path: Path) -> Iterator[WebUISimulator]:
    with start_webui(tmp_path / "webui") as running:
        yield running


@pytest.fixture
async def client(webui: WebUISimulator) -> AsyncIterator[WebUIClient]:
    async with WebUIClient(EngineAddress(webui.url), backoff=Backoff(0.01, 0.02)) as opened:
        yield opened


async def test_whole_server_has_everything(webui: WebUISimulator, client: WebUIClient) -> None:
    there = await probe(client)
    for ready in (stills_ready(there), animatediff_ready(there), deforum_ready(there)):
        assert ready.usable, ready.missing
    assert there.probe_errors == {}
    assert (there.flavour, there.transfer, there.motion_models_from) == ("a1111", "http", "config")
    assert there.motion_models == ("mm_sd15_v3.safetensors", "mm_sd_v15_v2.ckpt")
    assert there.version is not None
    assert there.checkpoint is not None
    assert there.samples_format == "png"
    assert {one.name for one in there.extensions} >= {"sd-webui-deforum"}
    assert "freeinit_ds" in there.argument_keys("img2img")
    assert upscaling_ready(there, "Lanczos").usable
    assert not upscaling_ready(there, "nope").usable


async def test_snapshot_survives_json_and_refuses_another_schema(client: WebUIClient) -> None:
    there = await probe(client)
    data = json.loads(json.dumps(there.as_data()))
    assert CapabilitySnapshot.from_data(data) == there
    with pytest.raises(ValueError, match="schema"):
        CapabilitySnapshot.from_data({**data, "schema_version": 0})


async def test_extensions_come_and_go_without_a_restart(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.install(animatediff=False, deforum=False)
    there = await probe(client)
    assert "not loaded" in " ".join(animatediff_ready(there).missing)
    assert "--deforum-api" in " ".join(deforum_ready(there).missing)
    webui.install(animatediff=True, deforum=True)
    there = await probe(client)
    assert animatediff_ready(there).usable
    assert deforum_ready(there).usable


async def test_deforum_needs_controlnet(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.install(controlnet=False)
    assert "controlnet" in " ".join(deforum_ready(await probe(client)).missing)


async def test_animatediff_needs_the_chosen_motion_model(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    assert not animatediff_ready(await probe(client), "nope.ckpt").usable
    webui.install(motion_models=[])
    assert animatediff_ready(await probe(client)).missing == ("No motion model is installed.",)


async def test_nothing_runs_without_a_checkpoint(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.install(checkpoints=[])
    there = await probe(client)
    assert not stills_ready(there).usable
    assert not animatediff_ready(there).usable
    assert not deforum_ready(there).usable


async def test_missing_freeinit_shows_in_the_argument_keys(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.install(freeinit=False)
    assert not [k for k in (await probe(client)).argument_keys("txt2img") if "freeinit" in k]


async def test_server_without_ui_needs_a_shared_folder_and_an_operators_word(
    tmp_path: Path,
) -> None:
    with start_webui(tmp_path / "api", more=["--nowebui"]) as webui:
        async with WebUIClient(EngineAddress(webui.url)) as client:
            there = await probe(client)
            assert there.transfer == "none"
            assert "without its UI" in " ".join(animatediff_ready(there).missing)
            assert "shared folder" in " ".join(deforum_ready(there).missing)
            told = await probe(client, shared_folder=True, motion_models=["mm.ckpt"])
    assert animatediff_ready(told, "mm.ckpt").usable
    assert deforum_ready(told).usable
    assert told.motion_models_from == "operator"


async def test_password_is_nowhere_in_a_snapshot(tmp_path: Path) -> None:
    with start_webui(tmp_path / "locked", more=["--auth", "studio:sesame"]) as webui:
        address = EngineAddress(webui.url.replace("http://", "http://studio:sesame@"))
        async with WebUIClient(address) as client:
            there = await probe(client)
        async with WebUIClient(EngineAddress(webui.url, auth=Basic("a", "b"))) as stranger:
            with pytest.raises(EngineRefused):
                await probe(stranger)
    assert "sesame" not in json.dumps(there.as_data())
    assert there.flags["api_auth"] == "(set)"
    assert there.flags["api"] is True


async def test_forge_is_told_apart(webui: WebUISimulator, client: WebUIClient) -> None:
    webui.install(flavour="forge")
    assert (await probe(client)).flavour == "forge"


async def test_probe_that_fails_is_recorded_and_the_rest_goes_on(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.order({"kind": "http", "path": "/sdapi/v1/samplers", "status": 500})
    there = await probe(client)
    assert list(there.probe_errors) == ["samplers"]
    assert there.samplers == ()
    assert animatediff_ready(there).usable


async def test_server_that_is_away_is_unreachable(
    webui: WebUISimulator, client: WebUIClient
) -> None:
    webui.process.kill()
    webui.process.wait(10)
    with pytest.raises(EngineUnreachable):
        await probe(client)


async def test_server_that_is_no_webui_is_told(webui: WebUISimulator) -> None:
    def elsewhere(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"paths": {"/other": {}}})

    async with WebUIClient(EngineAddress(webui.url)) as client:
        client._http._kept = httpx.AsyncClient(
            base_url=webui.url, transport=httpx.MockTransport(elsewhere)
        )
        with pytest.raises(ProtocolError, match="--api"):
            await probe(client)
