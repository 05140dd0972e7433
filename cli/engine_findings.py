"""What `animatrix doctor` finds about engines: those a user names, and those a system knows.

Must not change anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx

from cli.answers import Capabilities, Mode
from cli.engines import shown_url
from cli.finding import Finding
from engines.http.address import EngineAddress

ANSWER_WITHIN_S = 5.0


def named_comfyui() -> Finding:
    """Whether the engine that COMFYUI_URL names answers as ComfyUI does."""
    named = os.environ.get("COMFYUI_URL")
    if not named:
        return Finding("engine", "SIMULATED at the next start; set COMFYUI_URL for a real one")
    try:
        answer = httpx.get(f"{named.rstrip('/')}/system_stats", timeout=ANSWER_WITHIN_S)
        version = answer.raise_for_status().json()["system"]["comfyui_version"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as broken:
        return Finding(
            "engine",
            f"{shown_url(named)} does not answer as ComfyUI does: {type(broken).__name__}",
            "Start ComfyUI there, correct COMFYUI_URL, or unset it for the simulated one.",
        )
    return Finding("engine", f"ComfyUI {version} at {shown_url(named)}")


def named_webui() -> Finding:
    """Whether the engine that WEBUI_URL names answers as a WebUI does, and with what."""
    named = os.environ.get("WEBUI_URL")
    if not named:
        beside = "none at the next start, beside a real ComfyUI; set WEBUI_URL for one"
        alone = "SIMULATED at the next start; set WEBUI_URL for a real one"
        return Finding("webui", beside if os.environ.get("COMFYUI_URL") else alone)
    address = EngineAddress(named)
    try:
        answer = httpx.get(
            f"{address.base_url}/openapi.json",
            headers=address.request_headers(),
            timeout=ANSWER_WITHIN_S,
        )
        routes = answer.raise_for_status().json()["paths"]
        routes["/sdapi/v1/txt2img"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as broken:
        return Finding(
            "webui",
            f"{shown_url(named)} does not answer as a WebUI does: {type(broken).__name__}",
            "Start it there with --api, correct WEBUI_URL, or unset it.",
        )
    deforum = "with" if "/deforum_api/jobs" in routes else "without"
    return Finding("webui", f"WebUI at {shown_url(named)}, {deforum} the Deforum API")


def engine_findings(found: Capabilities) -> Iterator[Finding]:
    """What the capabilities say, engine by engine and mode by mode."""
    if not found.engines:
        yield Finding("engines", "none is known yet", "Wait a few seconds, or see executor.log.")
    for engine in found.engines:
        kind = "SIMULATED" if engine.simulated else "real"
        away = engine.health in ("unreachable", "refusing")
        yield Finding(
            f"engine {engine.engine_id}",
            f"{kind}, {engine.health}",
            "Start it, or correct its address and credentials." if away else "",
        )
    for mode in found.modes:
        yield from _mode(mode)


def _mode(mode: Mode) -> Iterator[Finding]:
    """One line a submode. A profile that lacks its files is told, but only a submode that cannot
    run at all has to be mended."""
    for submode in mode.submodes:
        name = f"mode {mode.mode} {submode.submode or ''}".strip()
        able = [profile.profile for profile in submode.profiles if profile.available]
        unable = [profile for profile in submode.profiles if not profile.available]
        missing = sorted({m for p in unable for m in p.missing} | set(submode.missing))
        if not able:
            told = f"available: nothing; missing: {'; '.join(missing)}"
            remedy = "Install these nodes and models on the engine, then restart it."
            yield Finding(name, told, remedy)
            continue
        told = f"available: {', '.join(able)}"
        if unable:
            told += (
                f"; not {', '.join(p.profile for p in unable)}, for want of {'; '.join(missing)}"
            )
        yield Finding(name, told)
