"""What one WebUI can do, as plain data that others may store and compare.

Owns the snapshot's shape (`SCHEMA_VERSION`), how it is taken, and when AnimateDiff, Deforum and
stills count as usable. Every probe is told apart: one that fails is recorded and the rest goes
on. No flag's text is kept, since the server shows its password among them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from .client import WebUIClient
from .errors import EngineRefused, ProtocolError

SCHEMA_VERSION = 1
Flavour = Literal["a1111", "forge"]
Transfer = Literal["http", "shared_folder", "none"]
_SCRIPT = "animatediff"
_MODULES = "txt2img-ad-motion-module"
_CONTROLNET = "controlnet"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Extension:
    """One installed extension and its exact version."""

    name: str
    commit: str
    branch: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether something can be used; `missing` says in plain sentences what is not there."""

    missing: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """True where nothing is missing."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class CapabilitySnapshot:
    """An engine at one moment (`taken_at`, ISO 8601, UTC); its URL holds no credentials.

    `animatediff` are the extension's argument keys with their defaults, by tab.
    `motion_models_from` says where the list was read: the server's page, an operator, or
    nowhere. `flags` hold truth values and numbers; texts are replaced. `probe_errors` are by
    route.
    """

    schema_version: int
    taken_at: str
    url: str
    flavour: Flavour
    version: str | None
    gradio_version: str | None
    routes: tuple[str, ...]
    flags: Mapping[str, bool | int | float | str | None]
    extensions: tuple[Extension, ...]
    scripts: Mapping[str, tuple[str, ...]]
    animatediff: Mapping[str, Mapping[str, Any]]
    motion_models: tuple[str, ...]
    motion_models_from: Literal["config", "operator", "none"]
    deforum_api: bool
    checkpoints: tuple[str, ...]
    checkpoint: str | None
    samplers: tuple[str, ...]
    upscalers: tuple[str, ...]
    samples_format: str | None
    transfer: Transfer
    probe_errors: Mapping[str, str] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars, in a stable order."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> CapabilitySnapshot:
        """Back from `as_data` (or its JSON). Raises ValueError for another schema version."""
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"capability snapshot of schema {data.get('schema_version')!r}")
        values: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in data.items()
        }
        values["extensions"] = tuple(Extension(**one) for one in data["extensions"])
        values["scripts"] = {tab: tuple(names) for tab, names in data["scripts"].items()}
        return cls(**values)

    def argument_keys(self, tab: str) -> frozenset[str]:
        """The AnimateDiff argument keys of `txt2img` or `img2img`; empty where it is not there."""
        return frozenset(self.animatediff.get(tab, {}))


def stills_ready(snapshot: CapabilitySnapshot) -> Readiness:
    """Whether txt2img and img2img can run."""
    return Readiness(() if snapshot.checkpoints else ("No checkpoint is installed.",))


def upscaling_ready(snapshot: CapabilitySnapshot, upscaler: str) -> Readiness:
    """Whether that upscaler is there."""
    there = upscaler in snapshot.upscalers
    return Readiness(() if there else (f"The upscaler {upscaler!r} is not installed.",))


def animatediff_ready(snapshot: CapabilitySnapshot, model: str | None = None) -> Readiness:
    """Whether AnimateDiff can run with that motion model, or with any."""
    missing = list(stills_ready(snapshot).missing)
    if not all(_SCRIPT in snapshot.scripts.get(tab, ()) for tab in ("txt2img", "img2img")):
        missing.append("The AnimateDiff extension is not loaded.")
    elif not snapshot.argument_keys("txt2img"):
        missing.append("AnimateDiff does not show its arguments.")
    if not snapshot.motion_models:
        unknown = snapshot.motion_models_from == "none"
        missing.append(
            "The motion models cannot be read: the server runs without its UI."
            if unknown
            else "No motion model is installed."
        )
    elif model is not None and model not in snapshot.motion_models:
        missing.append(f"The motion model {model!r} is not installed.")
    return Readiness(tuple(missing))


def deforum_ready(snapshot: CapabilitySnapshot) -> Readiness:
    """Whether Deforum can run and its frames can be had."""
    missing = list(stills_ready(snapshot).missing)
    if not snapshot.deforum_api:
        missing.append("The Deforum API is not there (start the server with --deforum-api).")
    names = [one.name.lower() for one in snapshot.extensions if one.enabled]
    if not any(_CONTROLNET in name for name in names):
        missing.append("The sd-webui-controlnet extension is not there; Deforum fails without it.")
    if snapshot.transfer == "none":
        missing.append("Deforum's frames cannot be fetched: no UI routes and no shared folder.")
    return Readiness(tuple(missing))


async def probe(
    client: WebUIClient,
    *,
    shared_folder: bool = False,
    motion_models: Collection[str] = (),
) -> CapabilitySnapshot:
    """Asks the engine what it has; about a dozen cheap GETs.

    `shared_folder` says that an operator set one up; `motion_models` are an operator's word
    for a server without its UI. Raises EngineUnreachable, EngineRefused (wrong credentials),
    and ProtocolError for a server that is no WebUI.
    """
    errors: dict[str, str] = {}

    async def part(route: str, ask: Callable[[], Awaitable[_T]]) -> _T | None:
        try:
            return await ask()
        except ProtocolError as error:
            errors[route] = error.cause
            return None

    paths = (await client.get_object("/openapi.json")).get("paths")
    routes = tuple(sorted(paths)) if isinstance(paths, Mapping) else ()
    if "/sdapi/v1/txt2img" not in routes:
        raise ProtocolError(client.name, "GET /openapi.json: no WebUI API (start it with --api)")
    options = await part("options", client.options) or {}
    extensions = await part("extensions", client.extensions) or ()
    config = await _config(client, routes, errors)
    flags = await part("cmd-flags", lambda: client.get_object("/sdapi/v1/cmd-flags")) or {}
    told = _motion_models(config)
    return CapabilitySnapshot(
        schema_version=SCHEMA_VERSION,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        url=client.name,
        flavour=_flavour(flags, extensions),
        version=await part("sysinfo", lambda: _version(client, routes)),
        gradio_version=_text(config.get("version")),
        routes=routes,
        flags=_redacted(flags),
        extensions=tuple(_extension(one) for one in extensions),
        scripts=await part("scripts", client.scripts) or {},
        animatediff=_arguments(await part("script-info", client.script_info) or ()),
        motion_models=told or tuple(sorted(motion_models)),
        motion_models_from="config" if config else "operator" if motion_models else "none",
        deforum_api=bool(await part("deforum", lambda: client.has("/deforum_api/jobs"))),
        checkpoints=await part("sd-models", client.checkpoints) or (),
        checkpoint=_text(options.get("sd_model_checkpoint")),
        samplers=await part("samplers", client.samplers) or (),
        upscalers=await part("upscalers", client.upscalers) or (),
        samples_format=_text(options.get("samples_format")),
        transfer=_transfer(routes, shared_folder),
        probe_errors=errors,
    )


async def _config(
    client: WebUIClient, routes: Collection[str], errors: dict[str, str]
) -> Mapping[str, Any]:
    """The page's description; {} without the UI or where the page asks for a login."""
    if not any(route.startswith("/config") for route in routes):
        return {}
    try:
        return await client.get_object("/config")
    except (EngineRefused, ProtocolError) as error:
        errors["config"] = error.cause
        return {}


async def _version(client: WebUIClient, routes: Collection[str]) -> str | None:
    if "/internal/sysinfo" not in routes:
        return None
    return _text((await client.get_object("/internal/sysinfo")).get("Version"))


def _motion_models(config: Mapping[str, Any]) -> tuple[str, ...]:
    components = config.get("components")
    for component in components if isinstance(components, list) else ():
        props = component.get("props") if isinstance(component, Mapping) else None
        if isinstance(props, Mapping) and props.get("elem_id") == _MODULES:
            choices = props.get("choices")
            found = choices if isinstance(choices, list) else []
            # newer Gradio gives pairs of what is shown and what is meant
            names = [one[-1] if isinstance(one, list) and one else one for one in found]
            return tuple(str(name) for name in names)
    return ()


def _arguments(infos: Collection[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """AnimateDiff's defaults by tab: the one argument whose value is an object."""
    found: dict[str, Mapping[str, Any]] = {}
    for info in infos:
        args = info.get("args")
        if str(info.get("name")).lower() != _SCRIPT or not isinstance(args, list):
            continue
        tab = "img2img" if info.get("is_img2img") else "txt2img"
        values = [arg.get("value") for arg in args if isinstance(arg, Mapping)]
        shown = next((dict(value) for value in values if isinstance(value, Mapping)), None)
        if shown is not None:
            found[tab] = shown
    return found


def _flavour(flags: Mapping[str, Any], extensions: Collection[Mapping[str, Any]]) -> Flavour:
    names = [*flags, *(str(one.get("name")) for one in extensions)]
    return "forge" if any("forge" in name.lower() for name in names) else "a1111"


def _redacted(flags: Mapping[str, Any]) -> dict[str, bool | int | float | str | None]:
    # one of them is the password in clear text, others are paths and tokens
    return {
        str(name): value if value is None or isinstance(value, bool | int | float) else "(set)"
        for name, value in flags.items()
    }


def _extension(told: Mapping[str, Any]) -> Extension:
    return Extension(
        name=str(told.get("name")),
        commit=str(told.get("commit_hash") or ""),
        branch=str(told.get("branch") or ""),
        enabled=bool(told.get("enabled", True)),
    )


def _transfer(routes: Collection[str], shared_folder: bool) -> Transfer:
    if shared_folder:
        return "shared_folder"
    fetches = any(route.startswith("/file=") for route in routes)
    uploads = any(route.rstrip("/") == "/upload" for route in routes)
    return "http" if fetches and uploads else "none"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
