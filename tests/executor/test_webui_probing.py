"""What the board says of a WebUI: lanes as it is fit for them, soon and without a secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from contracts.engines import EngineSnapshot
from runtime.engine_board import EngineBoard
from services.executor.settings import EngineSettings, Settings
from tests.executor.scene import until_some
from tests.executor.webui_scene import ENGINE, WebuiScene, animated, txt2img
from tests.support.webui import start_webui

ALL = ("webui-animatediff", "webui-deforum", "webui-stills")


async def seen(
    studio: WebuiScene, holds: Callable[[EngineSnapshot], object], within_s: float = 40.0
) -> EngineSnapshot:
    """The engine's snapshot once it is so."""

    async def met() -> EngineSnapshot | None:
        snapshot = (await EngineBoard(studio.buses["gateway"]).all()).get(ENGINE)
        return snapshot if snapshot is not None and holds(snapshot) else None

    return await until_some(met, within_s)


async def test_the_board_says_what_a_webui_can_do(studio: WebuiScene) -> None:
    async with studio.executor():
        snapshot = await studio.on_board()
    assert (snapshot.kind, snapshot.simulated, snapshot.health) == ("webui", True, "ready")
    assert tuple(sorted(snapshot.lanes)) == ALL
    assert snapshot.webui is not None
    assert snapshot.webui.usable
    assert "mm_sd15_v3.safetensors" in snapshot.webui.animatediff.motion_models
    assert "video_length" in snapshot.webui.animatediff.img2img_keys
    assert snapshot.webui.deforum.transfer == "http"
    assert "R-ESRGAN 4x+" in snapshot.webui.upscalers


async def test_what_is_switched_off_and_on_shows_without_a_restart(studio: WebuiScene) -> None:
    async with studio.executor():
        await seen(studio, lambda s: len(s.lanes) == 3)
        studio.webui.install(animatediff=False, controlnet=False)
        off = await seen(studio, lambda s: s.lanes == ("webui-stills",))
        assert off.webui is not None
        assert "The AnimateDiff extension is not loaded." in off.webui.animatediff.missing
        assert "controlnet" in off.webui.deforum.missing[0]
        job_id = await studio.job(animated(), stills=1)
        studio.webui.install(animatediff=True, controlnet=True)
        await seen(studio, lambda s: len(s.lanes) == 3)
        assert (await studio.executed(job_id)).attempt == 1


async def test_without_a_checkpoint_no_lane_is_open(studio: WebuiScene) -> None:
    studio.webui.install(checkpoints=[])
    async with studio.executor():
        snapshot = await studio.on_board()
        assert snapshot.lanes == ()
        assert snapshot.webui is not None
        assert snapshot.webui.missing == ("No checkpoint is installed.",)


async def test_a_refresh_makes_the_executor_look_at_once(studio: WebuiScene) -> None:
    slow = {"probe_interval_s": 600.0, "webui_catalogue_interval_s": 600.0}
    async with studio.executor(**slow):
        await seen(studio, lambda s: len(s.lanes) == 3)
        studio.webui.install(deforum=False)
        await EngineBoard(studio.buses["gateway"]).ask_refresh()
        await seen(studio, lambda s: "webui-deforum" not in s.lanes)


async def test_a_restart_is_waited_for(studio: WebuiScene) -> None:
    async with studio.executor():
        await studio.on_board()
        studio.webui.process.kill()
        studio.webui.process.wait(10)
        away = await seen(studio, lambda s: s.health == "unreachable")
        assert away.lanes
        job_id = await studio.job(txt2img())
        with start_webui(studio.webui.state, port=studio.webui.port):
            assert (await studio.executed(job_id, within_s=40)).attempt == 1


@pytest.mark.parametrize(("password", "health"), [("right-pass", "ready"), ("wrong", "refusing")])
async def test_basic_credentials_let_in_and_show_nowhere(
    studio: WebuiScene, tmp_path: Path, password: str, health: str
) -> None:
    with start_webui(tmp_path / "closed", more=("--auth", "me:right-pass")) as closed:
        engine = EngineSettings(
            engine_id=ENGINE,
            kind="webui",
            url=closed.url,
            basic_user="me",
            basic_password=SecretStr(password),
        )
        async with studio.executor(engines=(engine,)):
            snapshot = await seen(studio, lambda s: s.health == health)
            assert "right-pass" not in snapshot.model_dump_json()
            if health == "ready":
                assert snapshot.catalogue is not None
                stored = await studio.media.read_bytes(snapshot.catalogue.key)
                assert b"right-pass" not in stored


def test_a_webui_url_alone_names_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMFYUI_URL", raising=False)
    monkeypatch.setenv("WEBUI_URL", "http://127.0.0.1:7860")
    (engine,) = Settings().all_engines()
    assert (engine.engine_id, engine.kind) == ("webui-0", "webui")
    monkeypatch.setenv("COMFYUI_URL", "http://127.0.0.1:8188")
    assert [one.engine_id for one in Settings().all_engines()] == ["comfyui-0", "webui-0"]


def test_settings_of_a_webui_are_refused_for_a_comfyui() -> None:
    with pytest.raises(ValidationError, match="WebUI"):
        EngineSettings(engine_id="a", url="http://h:1", motion_models=("x",))
