"""What the embedded system is made of, and what it refuses to start as."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.children import ChildSpec
from cli.engines import shown_url
from cli.folders import Folders, folders_at
from cli.main import app
from cli.system import SERVICES, System, Wanted, check_address, plan_system
from cli.trouble import Trouble

TOKEN = "a-secret-of-a-good-length"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = folders_at(tmp_path / "var")
    made.make()
    return made


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def specs(system: System) -> dict[str, ChildSpec]:
    return {child.name: child for tier in system.tiers for child in tier.children}


def test_bus_and_simulator_come_first_then_the_five_services(folders: Folders) -> None:
    system = plan_system(Wanted(folders, port=0), {"PATH": "/usr/bin"})
    names = [[child.name for child in tier.children] for tier in system.tiers]
    assert names == [["nats", "simulator", "webui_simulator"], list(SERVICES)]
    assert system.engine["simulated"] is True
    assert system.webui is not None
    assert system.webui["simulated"] is True
    executor = specs(system)["executor"]
    assert executor.env["ANIMATRIX_EXECUTOR_WEBUI_URL"] == system.webui["url"]
    assert executor.env["ANIMATRIX_EXECUTOR_COMFYUI_URL"] == system.engine["url"]


def test_each_service_gets_its_own_account_of_the_bus_anew_at_every_start(
    folders: Folders,
) -> None:
    def passwords() -> dict[str, str]:
        children = specs(plan_system(Wanted(folders, port=0), {"PATH": "/usr/bin"}))
        kept: dict[str, str] = json.loads(folders.bus_passwords.read_text())
        for service in SERVICES:
            assert children[service].env["ANIMATRIX_NATS_PASSWORD"] == kept[service]
            others = {word for user, word in kept.items() if user != service}
            assert not others & set(children[service].env.values())
        for name in ("simulator", "webui_simulator", "nats"):
            assert not set(kept.values()) & set(children[name].env.values())
        config = folders.nats / "nats.conf"
        assert all(word in config.read_text() for word in kept.values())
        for file in (config, folders.bus_passwords):
            assert file.stat().st_mode & 0o077 == 0
        return kept

    first, second = passwords(), passwords()
    assert len(set(first.values())) == 6
    assert not set(first.values()) & set(second.values())


def test_a_real_engine_takes_the_place_of_the_simulator(folders: Folders) -> None:
    wanted = Wanted(folders, port=0, engine_url="http://user:pass@gpu.example:8000")
    system = plan_system(wanted, {"COMFYUI_URL": wanted.engine_url or ""})
    assert "simulator" not in specs(system)
    assert "webui_simulator" not in specs(system)
    assert system.engine == {"simulated": False, "url": "http://gpu.example:8000"}
    assert system.webui is None
    executor = specs(system)["executor"]
    assert executor.env["ANIMATRIX_EXECUTOR_COMFYUI_URL"] == wanted.engine_url
    others = [spec for name, spec in specs(system).items() if name != "executor"]
    assert not any("user:pass" in str(dict(spec.env)) for spec in others)


@pytest.mark.parametrize("comfyui", [None, "http://gpu.example:8188"])
def test_a_real_webui_is_used_beside_either_comfyui(folders: Folders, comfyui: str | None) -> None:
    webui = "https://user:pass@gpu.example:7860"
    wanted = Wanted(folders, port=0, engine_url=comfyui, webui_url=webui)
    system = plan_system(wanted, {"WEBUI_URL": webui})
    assert system.webui == {"simulated": False, "url": "https://gpu.example:7860"}
    assert "webui_simulator" not in specs(system)
    assert ("simulator" in specs(system)) is (comfyui is None)
    holders = {name for name, spec in specs(system).items() if "user:pass" in str(dict(spec.env))}
    assert holders == {"executor"}


def test_listed_engines_are_left_to_the_executor(folders: Folders) -> None:
    listed = json.dumps([{"engine_id": "a", "url": "http://a:1"}])
    system = plan_system(Wanted(folders, port=0), {"ANIMATRIX_EXECUTOR_ENGINES": listed})
    assert "simulator" not in specs(system)
    executor = specs(system)["executor"]
    assert executor.env["ANIMATRIX_EXECUTOR_ENGINES"] == listed
    assert "ANIMATRIX_EXECUTOR_COMFYUI_URL" not in executor.env


def test_a_secret_reaches_only_the_process_that_needs_it(folders: Folders) -> None:
    secrets = {"ANIMATRIX_GATEWAY_API_TOKEN": TOKEN, "ANIMATRIX_API_TOKEN": TOKEN}
    system = plan_system(Wanted(folders, port=0), secrets)
    holders = {name for name, spec in specs(system).items() if TOKEN in str(dict(spec.env))}
    assert holders == {"gateway"}


def test_videos_are_signed_with_a_test_certificate_unless_someone_decides(
    folders: Folders,
) -> None:
    system = plan_system(Wanted(folders, port=0), {})
    assert system.signs_as_test
    env = {name: dict(spec.env) for name, spec in specs(system).items()}
    assert env["collector"]["ANIMATRIX_COLLECTOR_CREDENTIALS"] == "true"
    named = env["collector"]["ANIMATRIX_COLLECTOR_CREDENTIALS_CERTIFICATE_FILE"]
    assert Path(named).is_relative_to(folders.credentials)
    assert not any("CREDENTIALS" in str(env[name]) for name in env if name != "collector")
    own = {"ANIMATRIX_COLLECTOR_CREDENTIALS": "false"}
    decided = plan_system(Wanted(folders, port=0), own)
    assert not decided.signs_as_test
    assert "CREDENTIALS_KEY" not in str(dict(specs(decided)["collector"].env))


def test_the_same_ports_are_taken_at_the_next_start(folders: Folders) -> None:
    first, second = (plan_system(Wanted(folders, port=0), {}) for _ in range(2))
    assert first.url == second.url
    ports = {name: spec.ports for name, spec in specs(first).items()}
    assert ports == {name: spec.ports for name, spec in specs(second).items()}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])  # noqa: S104
def test_nothing_but_loopback_without_a_token(host: str) -> None:
    with pytest.raises(Trouble, match="this machine only") as trouble:
        check_address(host, {})
    assert "ANIMATRIX_GATEWAY_API_TOKEN" in trouble.value.remedy
    check_address(host, {"ANIMATRIX_GATEWAY_API_TOKEN": TOKEN})


def test_a_short_token_is_refused() -> None:
    with pytest.raises(Trouble, match="too short"):
        check_address("127.0.0.1", {"ANIMATRIX_GATEWAY_API_TOKEN": "short"})


def test_a_taken_port_is_refused_with_a_way_out(folders: Folders, taken_port: int) -> None:
    with pytest.raises(Trouble, match=f"Port {taken_port}") as trouble:
        plan_system(Wanted(folders, port=taken_port), {})
    assert "--port 0" in trouble.value.remedy


@pytest.mark.parametrize("url", ["gpu.example:8000", "ftp://gpu.example"])
def test_an_engine_address_that_is_none_is_refused(folders: Folders, url: str) -> None:
    with pytest.raises(Trouble, match="COMFYUI_URL"):
        plan_system(Wanted(folders, port=0, engine_url=url), {})
    with pytest.raises(Trouble, match="WEBUI_URL"):
        plan_system(Wanted(folders, port=0, webui_url=url), {})


def test_credentials_in_a_url_are_never_shown() -> None:
    assert shown_url("https://me:secret@host:1/x?token=t#f") == "https://host:1/x"


def test_up_says_why_it_refuses_and_exits_with_1(tmp_path: Path) -> None:
    found = CliRunner().invoke(
        app,
        ["up", "--host", "192.0.2.7", "--var", str(tmp_path / "var")],
        env={"ANIMATRIX_GATEWAY_API_TOKEN": ""},
    )
    assert found.exit_code == 1
    assert "Without an access token" in found.stderr


def test_serve_names_the_services_when_asked_for_another() -> None:
    found = CliRunner().invoke(app, ["serve", "compositor"])
    assert found.exit_code == 1
    assert "gateway, ingest, composer, executor, collector" in found.stderr
