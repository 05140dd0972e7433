"""What an engine's nodes take and give: /object_info as types.

Owns the reading of both ways a list of values is written: the older `[["a", "b"], {...}]`
and the newer `["COMBO", {"options": [...]}]`. It compares nothing; see `matching`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

COMBO = "COMBO"
ANY = "*"
_UPLOAD_FLAGS = (
    "image_upload",
    "video_upload",
    "audio_upload",
    "file_upload",
    "animated_image_upload",
)
_MATCH_ANY = ("COMFY_MATCHTYPE_V3", "COMFY_MULTITYPED_V3")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a node class.

    `type` is a socket or widget type; unions are written "IMAGE,MASK", anything is "*".
    `options` are a COMBO's values, None where the engine does not list them. `uploads` marks
    a list of the engine's own input folder, which subfolders never appear in. `dynamic`
    inputs bring further inputs along, so that unknown names may be theirs.
    """

    name: str
    type: str
    required: bool
    options: tuple[object, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    default: object = None
    multiple: bool = False
    uploads: bool = False
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output slot of a node class."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class NodeClass:
    """A node class: its inputs by name, its outputs by slot, whether it ends a graph."""

    name: str
    inputs: Mapping[str, InputSpec]
    outputs: tuple[OutputSpec, ...]
    output_node: bool
    module: str


class Catalogue(Mapping[str, NodeClass]):
    """All node classes of one engine, by name. Read-only."""

    def __init__(self, classes: Mapping[str, NodeClass]) -> None:
        self._classes = dict(classes)

    @classmethod
    def read(cls, object_info: Mapping[str, Any]) -> Catalogue:
        """From the answer of `ComfyClient.object_info`.

        Descriptions of another shape are left out, as ComfyUI itself leaves out a node whose
        schema raises: to a graph that needs it, the class is absent.
        """
        return cls(
            {
                str(name): node_class(str(name), told)
                for name, told in object_info.items()
                if isinstance(told, Mapping) and isinstance(told.get("input"), Mapping)
            }
        )

    def __getitem__(self, name: str) -> NodeClass:
        """The class of this name; KeyError when absent."""
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        """Names, in the engine's order."""
        return iter(self._classes)

    def __len__(self) -> int:
        """How many classes."""
        return len(self._classes)


def node_class(name: str, told: Mapping[str, Any]) -> NodeClass:
    """One class of /object_info; `hidden` inputs are the server's own and left out."""
    inputs: dict[str, InputSpec] = {}
    for section in ("required", "optional"):
        specs = told["input"].get(section)
        for key, spec in specs.items() if isinstance(specs, Mapping) else ():
            inputs[str(key)] = input_spec(str(key), spec, required=section == "required")
    types = told.get("output")
    names = told.get("output_name")
    types = types if isinstance(types, list) else []
    names = names if isinstance(names, list) else []
    outputs = tuple(
        OutputSpec(str(names[slot]) if slot < len(names) else "", _type(kind))
        for slot, kind in enumerate(types)
    )
    module = str(told.get("python_module") or "")
    return NodeClass(
        name, MappingProxyType(inputs), outputs, told.get("output_node") is True, module
    )


def input_spec(name: str, spec: object, *, required: bool) -> InputSpec:
    """One input's `[type, config]`, in the older or the newer style."""
    parts = spec if isinstance(spec, list | tuple) and spec else [ANY]
    kind = parts[0]
    config = parts[1] if len(parts) > 1 and isinstance(parts[1], Mapping) else {}
    listed = kind if isinstance(kind, list) else config.get("options")
    type_name = _type(kind)
    return InputSpec(
        name=name,
        type=type_name,
        required=required,
        options=tuple(listed) if type_name == COMBO and isinstance(listed, list) else None,
        minimum=_number(config.get("min")),
        maximum=_number(config.get("max")),
        step=_number(config.get("step")),
        default=config.get("default"),
        multiple=bool(config.get("multiselect") or config.get("multi_select")),
        uploads=any(config.get(flag) for flag in _UPLOAD_FLAGS),
        dynamic=type_name.startswith(("COMFY_DYNAMIC", "COMFY_AUTOGROW")),
    )


def _type(kind: object) -> str:
    if isinstance(kind, list):
        return COMBO
    return ANY if kind in _MATCH_ANY else str(kind)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
