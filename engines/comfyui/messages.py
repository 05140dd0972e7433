"""Every websocket message of ComfyUI as a frozen type.

Owns the tables from a message's name, or a frame's event number, to its type. A frame that
cannot be read becomes `Unknown`, never an exception: the socket is a hint. Texts and binary
values of node outputs are dropped; only files are kept.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict

from .errors import excerpt
from .outcome import Failed, failure
from .outputs import OutputFile, files_of
from .server import Features, features

# whatever reading a foreign frame can raise (ValueError covers JSON, text and validation)
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error)
_IMAGE_TYPES = {1: "image/jpeg", 2: "image/png"}


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)
    prompt_id: str | None = None


class Status(_Message):
    """The queue's length changed, or the socket was just opened. Goes to every client."""

    queue_remaining: int


class FeatureFlags(_Message):
    """The server's answer to our feature flags."""

    features: Features


class ExecutionStart(_Message):
    """The prompt left the queue."""


class ExecutionCached(_Message):
    """These nodes will not run: their results are cached."""

    nodes: tuple[str, ...] = ()


class NodeProgress(BaseModel):
    """One node's part of a progress_state."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    value: float = 0
    max: float = 1
    state: str = ""


class ProgressState(_Message):
    """All nodes begun so far; grows with every node."""

    nodes: dict[str, NodeProgress]


class Executing(_Message):
    """A node begins; `node` None means that the prompt is over and in the history.

    After a reconnect it comes without prompt_id.
    """

    node: str | None = None


class Progress(_Message):
    """A step within a node, `value` of `max`."""

    value: float
    max: float
    node: str | None = None


class Executed(_Message):
    """A node with outputs of its own finished (a cached one too)."""

    node: str
    files: tuple[OutputFile, ...] = ()


class ExecutionSuccess(_Message):
    """The prompt succeeded. Its history entry may still be some milliseconds away."""


class ExecutionError(_Message):
    """A node raised."""

    failed: Failed


class ExecutionInterrupted(_Message):
    """The prompt was interrupted."""

    node_id: str | None = None


class PreviewImage(_Message):
    """A preview picture; node and prompt are known with the feature flag only."""

    content_type: str
    image: bytes
    node: str | None = None


class Text(_Message):
    """A text that a node shows while it runs."""

    text: str
    node: str | None = None


class Unknown(_Message):
    """A message of another kind or shape; `kind` is its name or event number."""

    kind: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open. What was sent before is lost: look at /queue and /history."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket is closed or cannot be opened; the next try comes in `retry_in_s`."""

    cause: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing was heard for `idle_s` on an open socket: an idle engine, or a deaf socket."""

    idle_s: float


Message: TypeAlias = (
    Status
    | FeatureFlags
    | ExecutionStart
    | ExecutionCached
    | ProgressState
    | Executing
    | Progress
    | Executed
    | ExecutionSuccess
    | ExecutionError
    | ExecutionInterrupted
    | PreviewImage
    | Text
    | Unknown
)
SocketEvent: TypeAlias = Message | Connected | Disconnected | Silent


def _status(data: Mapping[str, Any]) -> Message:
    return Status(queue_remaining=data["status"]["exec_info"]["queue_remaining"])


def _feature_flags(data: Mapping[str, Any]) -> Message:
    return FeatureFlags(features=features(data))


def _executed(data: Mapping[str, Any]) -> Message:
    node = str(data["node"])
    files = files_of(node, data.get("output"))
    return Executed(prompt_id=data.get("prompt_id"), node=node, files=files)


def _error(data: Mapping[str, Any]) -> Message:
    return ExecutionError(prompt_id=data.get("prompt_id"), failed=failure(data))


_TEXTS: dict[str, Callable[[Mapping[str, Any]], Message]] = {
    "status": _status,
    "feature_flags": _feature_flags,
    "execution_start": ExecutionStart.model_validate,
    "execution_cached": ExecutionCached.model_validate,
    "progress_state": ProgressState.model_validate,
    "executing": Executing.model_validate,
    "progress": Progress.model_validate,
    "executed": _executed,
    "execution_success": ExecutionSuccess.model_validate,
    "execution_error": _error,
    "execution_interrupted": ExecutionInterrupted.model_validate,
}


def read_text(frame: str) -> Message:
    """A text frame ({"type", "data"}) as a message."""
    kind = "unreadable"
    try:
        told = json.loads(frame)
        kind = excerpt(str(told["type"]))
        return _TEXTS[kind](told["data"])
    except _UNREADABLE:
        return Unknown(kind=kind, size_bytes=len(frame))


def _preview(payload: bytes) -> Message:
    (kind,) = struct.unpack_from(">I", payload)
    return PreviewImage(content_type=_IMAGE_TYPES[kind], image=payload[4:])


def _preview_with_metadata(payload: bytes) -> Message:
    (length,) = struct.unpack_from(">I", payload)
    if length > len(payload) - 4:
        raise ValueError("metadata longer than the frame")
    told = json.loads(payload[4 : 4 + length])
    return PreviewImage(
        content_type=told["image_type"],
        image=payload[4 + length :],
        node=told.get("node_id"),
        prompt_id=told.get("prompt_id"),
    )


def _text(payload: bytes) -> Message:
    (length,) = struct.unpack_from(">I", payload)
    if length > len(payload) - 4:
        raise ValueError("node id longer than the frame")
    node, text = payload[4 : 4 + length], payload[4 + length :]
    return Text(node=node.decode(), text=text.decode())


_BINARIES: dict[int, Callable[[bytes], Message]] = {
    1: _preview,
    3: _text,
    4: _preview_with_metadata,
}


def read_binary(frame: bytes) -> Message:
    """A binary frame (4 bytes big-endian event number, then its payload) as a message."""
    kind = "unreadable"
    try:
        (event,) = struct.unpack_from(">I", frame)
        kind = f"binary {event}"
        return _BINARIES[event](frame[4:])
    except _UNREADABLE:
        return Unknown(kind=kind, size_bytes=len(frame))
