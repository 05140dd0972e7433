"""The node classes the simulator knows, and how it describes them.

Owns nodes.json: names, types, ranges and outputs of the classes that the Wan 2.2
workflows use, as ComfyUI 0.3.64 reports them. It must not decide what a node does.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from simulators.comfyui.files import Files

NUMBER_FIELDS = ("default", "min", "max", "step")


@dataclass(frozen=True)
class InputSpec:
    """One input: its type, range and list of values."""

    name: str
    type: str
    required: bool
    typed_list: bool
    options: tuple[str, ...] | None
    files: str | None
    config: dict[str, Any]

    def choices(self, files: Files) -> list[str] | None:
        """The values of a list input (folders are read now), or None for other inputs."""
        if self.type != "COMBO":
            return None
        listed = files.listed(self.files) if self.files else []
        return [*listed, *(self.options or ())]

    def described(self, files: Files) -> list[Any]:
        """The input as /object_info and error bodies give it: ``[type, config]``."""
        choices = self.choices(files)
        if choices is None:
            return [self.type, dict(self.config)]
        if self.typed_list:
            listed = {"options": choices} if self.files or self.options else {}
            return ["COMBO", {**self.config, **listed}]
        return [choices, dict(self.config)]


@dataclass(frozen=True)
class NodeSpec:
    """One node class."""

    name: str
    inputs: dict[str, InputSpec]
    outputs: tuple[tuple[str, str], ...]
    output_node: bool
    hidden: tuple[str, ...]

    def described(self, files: Files) -> dict[str, Any]:
        """The class as /object_info gives it."""
        inputs: dict[str, dict[str, Any]] = {"required": {}}
        for spec in self.inputs.values():
            part = inputs.setdefault("required" if spec.required else "optional", {})
            part[spec.name] = spec.described(files)
        if self.hidden:
            inputs["hidden"] = {name: name.upper() for name in self.hidden}
        return {
            "input": inputs,
            "input_order": {part: list(names) for part, names in inputs.items()},
            "output": [kind for kind, _ in self.outputs],
            "output_is_list": [False] * len(self.outputs),
            "output_name": [label for _, label in self.outputs],
            "name": self.name,
            "display_name": self.name,
            "description": "",
            "python_module": "simulators.comfyui",
            "category": "simulated",
            "output_node": self.output_node,
        }


def _read_input(name: str, raw: dict[str, Any], required: bool) -> InputSpec:
    config: dict[str, Any] = {k: raw[k] for k in NUMBER_FIELDS if k in raw}
    if "upload" in raw:
        config[raw["upload"]] = True
    options = raw.get("options", raw.get("extra"))
    return InputSpec(
        name=name,
        type=raw["type"],
        required=required,
        typed_list=raw.get("style") == "typed",
        options=None if options is None else tuple(options),
        files=raw.get("files"),
        config=config,
    )


def _read_node(name: str, raw: dict[str, Any]) -> NodeSpec:
    inputs = {k: _read_input(k, v, True) for k, v in raw["required"].items()}
    inputs |= {k: _read_input(k, v, False) for k, v in raw.get("optional", {}).items()}
    return NodeSpec(
        name=name,
        inputs=inputs,
        outputs=tuple((kind, label) for kind, label in raw["outputs"]),
        output_node=raw["output_node"],
        hidden=tuple(raw.get("hidden", ())),
    )


class Catalogue:
    """All known node classes by name."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.version: str = document["comfyui_version"]
        self._installed: dict[str, Any] = document["nodes"]
        self.nodes: dict[str, NodeSpec] = {}
        self.install((), {})

    def install(self, absent: Collection[str], changed: Mapping[str, Any]) -> None:
        """The classes as they come, without the absent ones and with others in place of the
        changed ones (in the form of nodes.json). Raises KeyError or TypeError for another form."""
        document = {**self._installed, **changed}
        self.nodes = {n: _read_node(n, raw) for n, raw in document.items() if n not in absent}

    def as_installed(self, name: str) -> dict[str, Any]:
        """A class as it comes, in the form of nodes.json. KeyError when there is none."""
        raw: dict[str, Any] = json.loads(json.dumps(self._installed[name]))
        return raw

    def described(self, files: Files, name: str | None = None) -> dict[str, Any]:
        """The body of /object_info, or of /object_info/{name} ({} for an unknown class)."""
        names = self.nodes if name is None else [n for n in (name,) if n in self.nodes]
        return {n: self.nodes[n].described(files) for n in names}


def load_catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    text = resources.files("simulators.comfyui").joinpath("nodes.json").read_text("utf-8")
    return Catalogue(json.loads(text))
