"""The files that a prompt left behind, picked out of what nodes report.

Owns one rule: a file is a dict with a filename and type "output". Nodes also report temp
previews, flags, key points and base64 pictures of hundreds of kilobytes; those never leave
this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file in the engine's folders: which node made it, under which output key, where."""

    node: str
    key: str
    filename: str
    subfolder: str
    type: str = "output"


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file to view that no output named, such as an input or a temp file."""

    filename: str
    subfolder: str = ""
    type: str = "output"


def files_in(outputs: object) -> tuple[OutputFile, ...]:
    """Files in a history entry's `outputs` ({node: {key: [item]}}), in the order reported.

    What has another shape is passed over: foreign nodes put anything there.
    """
    if not isinstance(outputs, Mapping):
        return ()
    return tuple(
        file for node, reported in outputs.items() for file in files_of(str(node), reported)
    )


def files_of(node: str, reported: object) -> tuple[OutputFile, ...]:
    """Files in what one node reported ({key: [item]}); a repeated entry counts once."""
    if not isinstance(reported, Mapping):
        return ()
    found: dict[OutputFile, None] = {}
    for key, items in reported.items():
        for item in items if isinstance(items, list) else ():
            file = _file(node, str(key), item)
            if file is not None:
                found[file] = None
    return tuple(found)


def _file(node: str, key: str, item: object) -> OutputFile | None:
    if not isinstance(item, Mapping) or item.get("type") != "output":
        return None
    filename, subfolder = item.get("filename"), item.get("subfolder") or ""
    if not isinstance(filename, str) or not filename or not isinstance(subfolder, str):
        return None
    return OutputFile(node, key, filename, subfolder)
