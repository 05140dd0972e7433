"""The embedded system as data: which programs, with which arguments, environment and ports.

Owns the wiring of one machine. Must not start anything.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from cli.bus import NATS, bus
from cli.children import ChildSpec
from cli.demo_assets import FOLDER as DEMO_FOLDER
from cli.demo_assets import VERSION as DEMO_VERSION
from cli.engines import Engines, engines_of
from cli.folders import Folders
from cli.nursery import Nursery
from cli.ports import choose_ports, is_free
from cli.supervisor import Tier
from cli.trial_certificate import ensure_test_certificate
from cli.trouble import Trouble
from contracts.subjects import Service
from runtime.bus_accounts import PASSWORD_VARIABLE, fresh_passwords
from runtime.settings import LOOPBACK_HOSTS

SERVICES: tuple[Service, ...] = get_args(Service)
SIMULATOR, WEBUI_SIMULATOR = "simulator", "webui_simulator"
TOKEN_VARIABLE = "ANIMATRIX_GATEWAY_API_TOKEN"  # noqa: S105 - a variable's name
CREDENTIALS_VARIABLE = "ANIMATRIX_COLLECTOR_CREDENTIALS"
MIN_TOKEN_CHARACTERS = 16
_ASKS = (
    TOKEN_VARIABLE,
    "ANIMATRIX_GATEWAY_REQUIRE_CREDENTIALS",
    "ANIMATRIX_GATEWAY_OIDC_ISSUER",
)
"""Any of these makes the gateway ask who comes; it checks their values itself."""
SHARED_MODULES = ("runtime.process", "planning.planner", "httpx", "PIL.Image")
"""What all services load. The gateway alone loads as much again, while the others start."""
_PLAIN_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for. An address that is None means the simulated engine."""

    folders: Folders
    host: str = "127.0.0.1"
    port: int = 8080
    engine_url: str | None = None
    webui_url: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    """An embedded system, ready to be started.

    `engine` and `webui` say of the two engines where they are and whether they are simulated;
    `webui` is None without one.
    """

    url: str
    engine: Mapping[str, Any]
    webui: Mapping[str, Any] | None
    tiers: tuple[Tier, ...]
    signs_as_test: bool = False
    nursery: Nursery | None = None


def plan_system(wanted: Wanted, environment: Mapping[str, str]) -> System:
    """All programs of the system. Raises Trouble when it may not or cannot be started.

    Writes the configuration of the bus, with accounts of its own for every start, and the
    remembered ports into the data folder.
    """
    check_address(wanted.host, environment)
    port = _gateway_port(wanted)
    health = [f"{service}_health" for service in SERVICES]
    names = [NATS, f"{NATS}_monitor", SIMULATOR, WEBUI_SIMULATOR, *health]
    ports = choose_ports(names, wanted.folders.ports_file)
    engines = engines_of(
        wanted.engine_url,
        wanted.webui_url,
        environment,
        simulated_comfyui=f"http://127.0.0.1:{ports[SIMULATOR]}",
        simulated_webui=f"http://127.0.0.1:{ports[WEBUI_SIMULATOR]}",
    )
    passwords = fresh_passwords()
    first = [bus(wanted.folders, ports, environment, passwords)]
    if engines.comfyui.simulated:
        first.append(_simulator(wanted.folders, ports[SIMULATOR], environment))
    if engines.webui is not None and engines.webui.simulated:
        first.append(_webui_simulator(wanted.folders, ports[WEBUI_SIMULATOR], environment))
    services = tuple(
        _with_password(
            _service(service, wanted, port, ports, engines, environment), passwords[service]
        )
        for service in SERVICES
    )
    shown = engines.webui.shown() if engines.webui is not None else None
    return System(
        url=_url(wanted.host, port),
        engine=engines.comfyui.shown(),
        webui=shown,
        tiers=(Tier(tuple(first)), Tier(services)),
        signs_as_test=signs_as_test(environment),
        nursery=Nursery(SHARED_MODULES, _plain(environment), wanted.folders.log_of("nursery")),
    )


def check_address(host: str, environment: Mapping[str, str]) -> None:
    """Raises Trouble for an address beyond this machine without an access token."""
    token = environment.get(TOKEN_VARIABLE, "")
    if host not in LOOPBACK_HOSTS and not any(environment.get(name) for name in _ASKS):
        raise Trouble(
            f"Without an access token Animatrix listens on this machine only, not on {host}.",
            f"Set {TOKEN_VARIABLE} to a secret of at least {MIN_TOKEN_CHARACTERS} characters "
            "(or require keys: docs/security.md), "
            "or leave ANIMATRIX_HOST at 127.0.0.1.",
        )
    if token and len(token) < MIN_TOKEN_CHARACTERS:
        raise Trouble(
            "The access token is too short.",
            f"Give {TOKEN_VARIABLE} at least {MIN_TOKEN_CHARACTERS} characters.",
        )


def _url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _gateway_port(wanted: Wanted) -> int:
    if wanted.port == 0:
        return choose_ports(["gateway"], wanted.folders.run / "gateway-port.json")["gateway"]
    if not is_free(wanted.host, wanted.port):
        raise Trouble(
            f"Port {wanted.port} on {wanted.host} cannot be used: another program has it, "
            "or it is not an address of this machine.",
            "Set ANIMATRIX_PORT to another port, or use --port 0 for a free one.",
        )
    return wanted.port


def _with_password(service: ChildSpec, password: str) -> ChildSpec:
    return replace(service, env={**service.env, PASSWORD_VARIABLE: password})


def _simulator(folders: Folders, port: int, environment: Mapping[str, str]) -> ChildSpec:
    own = {n: v for n, v in environment.items() if n.startswith("COMFYUI_SIMULATOR_")}
    own = {"COMFYUI_SIMULATOR_PREVIEWS": "1", **own}
    module, ready = "simulators.comfyui", "/system_stats"
    return _stand_in(SIMULATOR, module, folders, folders.simulator, port, ready, environment, own)


def _webui_simulator(folders: Folders, port: int, environment: Mapping[str, str]) -> ChildSpec:
    own = {n: v for n, v in environment.items() if n.startswith("WEBUI_SIMULATOR_")}
    module, ready, state = "simulators.webui", "/internal/ping", folders.webui_simulator
    return _stand_in(WEBUI_SIMULATOR, module, folders, state, port, ready, environment, own)


def _stand_in(
    name: str,
    module: str,
    folders: Folders,
    state: Path,
    port: int,
    ready: str,
    environment: Mapping[str, str],
    own: Mapping[str, str],
) -> ChildSpec:
    argv = ("-m", module, "--port", str(port), "--state", str(state))
    return ChildSpec(
        name=name,
        argv=(sys.executable, *argv),
        env={**_plain(environment), **own},
        log=folders.log_of(name),
        ready_url=f"http://127.0.0.1:{port}{ready}",
        ports=(("http", port),),
    )


def _service(
    service: Service,
    wanted: Wanted,
    port: int,
    ports: Mapping[str, int],
    engines: Engines,
    environment: Mapping[str, str],
) -> ChildSpec:
    folders, health = wanted.folders, ports[f"{service}_health"]
    env = {
        **environment_of(service, environment),
        "ANIMATRIX_NATS_URL": f"nats://127.0.0.1:{ports[NATS]}",
        "ANIMATRIX_MEDIA_DIR": str(folders.media),
        "ANIMATRIX_MEDIA_CACHE_DIR": str(folders.var / "cache"),
        "ANIMATRIX_STATE_DIR": str(folders.state),
        "ANIMATRIX_INSTANCE": f"{service}-0",
        f"ANIMATRIX_{service.upper()}_HEALTH_PORT": str(health),
        "ANIMATRIX_HEALTH_HOST": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": _python_path(),
    }
    own_ports = [("health", health)]
    if service == "gateway":
        env |= {"ANIMATRIX_GATEWAY_HOST": wanted.host, "ANIMATRIX_GATEWAY_PORT": str(port)}
        env.setdefault("ANIMATRIX_GATEWAY_DEMO_DIR", str(DEMO_FOLDER / DEMO_VERSION))
        own_ports.append(("http", port))
    if service == "collector" and signs_as_test(environment):
        env |= _test_certificate(folders)
    if service == "executor":
        env |= engines.variables()
    return ChildSpec(
        name=service,
        argv=(sys.executable, "-m", f"services.{service}"),
        env=env,
        log=folders.log_of(service),
        ready_url=f"http://127.0.0.1:{health}/readyz",
        ports=tuple(own_ports),
    )


def signs_as_test(environment: Mapping[str, str]) -> bool:
    """Whether content credentials are signed with a test certificate: unless someone decides."""
    return not any(name.startswith(CREDENTIALS_VARIABLE) for name in environment)


def _test_certificate(folders: Folders) -> dict[str, str]:
    try:
        files = ensure_test_certificate(folders.credentials, datetime.now(UTC))
    except OSError as denied:
        raise Trouble(
            f"The test certificate cannot be written to {folders.credentials}: {denied.strerror}.",
            f"Set {CREDENTIALS_VARIABLE}=false to go without content credentials.",
        ) from denied
    return {
        CREDENTIALS_VARIABLE: "true",
        f"{CREDENTIALS_VARIABLE}_CERTIFICATE_FILE": str(files.chain_file),
        f"{CREDENTIALS_VARIABLE}_KEY_FILE": str(files.key_file),
    }


def environment_of(service: Service, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what belongs to another service or to the client: a token or an
    engine's password reaches only the process that needs it."""
    foreign = tuple(f"ANIMATRIX_{other.upper()}_" for other in SERVICES if other != service)
    client_only = ("ANIMATRIX_API_TOKEN", "ANIMATRIX_URL")
    hidden = client_only if service == "executor" else (*client_only, "COMFYUI_URL", "WEBUI_URL")
    return {n: v for n, v in environment.items() if not n.startswith(foreign) and n not in hidden}


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    plain = {n: environment[n] for n in _PLAIN_VARIABLES if n in environment}
    return {**plain, "PYTHONUNBUFFERED": "1", "PYTHONPATH": _python_path()}


def _python_path() -> str:
    """Where our packages are, so that a child finds them whatever its working folder is."""
    return str(Path(__file__).resolve().parent.parent)
