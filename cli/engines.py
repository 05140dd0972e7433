"""Which engines an embedded system has: those that are named, simulated ones where none is.

Pure. Owns the rules of the variables that name engines. Must not start or ask an engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from cli.trouble import Trouble

ENGINES_VARIABLE = "ANIMATRIX_EXECUTOR_ENGINES"


@dataclass(frozen=True, slots=True)
class NamedEngine:
    """One engine; `url` may hold credentials and goes to the executor alone."""

    simulated: bool
    url: str

    def shown(self) -> dict[str, Any]:
        """What may be printed and kept."""
        return {"simulated": self.simulated, "url": shown_url(self.url)}


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines of a system. `listed`: the executor reads them from its own list."""

    comfyui: NamedEngine
    webui: NamedEngine | None
    listed: bool = False

    def variables(self) -> dict[str, str]:
        """What the executor is told."""
        if self.listed:
            return {}
        told = {"ANIMATRIX_EXECUTOR_COMFYUI_URL": self.comfyui.url}
        return told | ({"ANIMATRIX_EXECUTOR_WEBUI_URL": self.webui.url} if self.webui else {})


def engines_of(
    comfyui_url: str | None,
    webui_url: str | None,
    environment: Mapping[str, str],
    *,
    simulated_comfyui: str,
    simulated_webui: str,
) -> Engines:
    """The engines: those of the list, else the named ones; simulated ones take their places.

    A simulated WebUI stands beside a simulated ComfyUI only: next to a real one it would pass for
    part of it. Raises Trouble for an address that is none.
    """
    listed = environment.get(ENGINES_VARIABLE)
    if listed:
        return Engines(NamedEngine(False, _listed(listed)), None, listed=True)
    for variable, url in (("COMFYUI_URL", comfyui_url), ("WEBUI_URL", webui_url)):
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise Trouble(
                f"{variable} is not the address of a server: {shown_url(url)}",
                "Use a form like http://127.0.0.1:8188, or unset it for the simulated one.",
            )
    webui = NamedEngine(False, webui_url) if webui_url else None
    if comfyui_url:
        return Engines(NamedEngine(False, comfyui_url), webui)
    beside = webui or NamedEngine(True, simulated_webui)
    return Engines(NamedEngine(True, simulated_comfyui), beside)


def shown_url(url: str) -> str:
    """The URL without credentials, query or fragment, as it may be printed and stored."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _listed(listed: str) -> str:
    try:
        return ", ".join(shown_url(str(engine["url"])) for engine in json.loads(listed))
    except (ValueError, TypeError, KeyError) as broken:
        raise Trouble(
            f"{ENGINES_VARIABLE} is not a JSON list of engines with a url.",
            'For example: [{"engine_id": "comfyui-0", "url": "http://127.0.0.1:8188"}]',
        ) from broken
