"""POST /prompt, sent once, and the reading of its answers.

Owns what is put into the body, the shapes of `error` and `node_errors`, and the line between
"not taken" and "perhaps taken". Withdrawing what a partly valid graph left queued is the
client's part. Texts are cut: a failed inner validation puts a traceback with server paths
into the body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from ..http.transport import Answer, Transport
from .errors import (
    EngineUnreachable,
    InputError,
    PromptRefused,
    ProtocolError,
    SubmitUncertain,
    excerpt,
)

MAX_NODE_ERRORS = 200
_PATH = "/prompt"


@dataclass(frozen=True, slots=True)
class Answered:
    """A 200 of POST /prompt: something is queued under `prompt_id`."""

    prompt_id: str
    number: float | None
    node_errors: tuple[InputError, ...]


async def post_prompt(
    http: Transport, graph: Mapping[str, Any], prompt_id: str, client_id: str | None
) -> Answered:
    """Sends the graph; raises PromptRefused, EngineUnreachable (not taken), SubmitUncertain.

    `number` is never in the body: two prompts with equal number and id kill the server's
    worker, which then takes everything and runs nothing.
    """
    body: dict[str, Any] = {"prompt": graph, "prompt_id": prompt_id}
    if client_id is not None:
        body["client_id"] = client_id
    try:
        answer = await http.send_once("POST", _PATH, body=body)
    except httpx.HTTPError as error:
        cause = f"POST {_PATH}: {type(error).__name__} {error}"
        raise SubmitUncertain(http.engine, prompt_id, cause) from error
    _raise_refusal(http, answer, prompt_id)
    try:
        taken = http.json_object("POST", _PATH, answer)
    except ProtocolError as error:
        if answer.status != 200:
            raise
        raise SubmitUncertain(http.engine, prompt_id, error.cause) from error
    answered_id, number = taken.get("prompt_id"), taken.get("number")
    if not isinstance(answered_id, str):
        raise SubmitUncertain(http.engine, prompt_id, f"POST {_PATH}: a 200 without a prompt_id")
    return Answered(
        prompt_id=answered_id,
        number=number if isinstance(number, int | float) else None,
        node_errors=input_errors(taken.get("node_errors")),
    )


def input_errors(node_errors: object) -> tuple[InputError, ...]:
    """The typed form of `node_errors` ({node id: {errors, class_type, ...}}).

    A non-empty value of another shape still gives one error: it is a refusal all the same.
    """
    if not node_errors:
        return ()
    if not isinstance(node_errors, Mapping):
        return (InputError("", "", "unreadable", "node_errors of another shape", ""),)
    found = [error for node, told in node_errors.items() for error in _of_node(str(node), told)]
    return tuple(found[:MAX_NODE_ERRORS])


def refusal(engine: str, body: Mapping[str, Any]) -> PromptRefused:
    """The error for a 400's JSON body."""
    error = body.get("error")
    # older servers answer with a bare sentence here
    told: Mapping[str, Any] = error if isinstance(error, Mapping) else {"message": error}
    return PromptRefused(
        engine,
        str(told.get("type") or "unknown"),
        excerpt(str(told.get("message") or "")),
        details=excerpt(str(told.get("details") or "")),
        node_errors=input_errors(body.get("node_errors")),
    )


def _raise_refusal(http: Transport, answer: Answer, prompt_id: str) -> None:
    http.raise_if_barred("POST", _PATH, answer)
    if answer.status == 429:
        raise EngineUnreachable(http.engine, f"POST {_PATH}: 429 {answer.text()}")
    if answer.status >= 500:
        cause = f"POST {_PATH}: {answer.status} {answer.text()}"
        raise SubmitUncertain(http.engine, prompt_id, cause)
    if answer.status == 413:
        raise PromptRefused(http.engine, "too_large", answer.text())
    if answer.status == 400:
        try:
            body = json.loads(answer.body)
        except ValueError:
            body = answer.text()
        raise refusal(http.engine, body if isinstance(body, Mapping) else {"error": body})


def _of_node(node: str, told: object) -> list[InputError]:
    if not isinstance(told, Mapping):
        return [InputError(node, "", "unreadable", excerpt(str(told)), "")]
    class_type = str(told.get("class_type") or "")
    errors = told.get("errors")
    if not isinstance(errors, list) or not errors:
        return [InputError(node, class_type, "unreadable", "no error named", "")]
    return [_one(node, class_type, error) for error in errors]


def _one(node: str, class_type: str, error: object) -> InputError:
    if not isinstance(error, Mapping):
        return InputError(node, class_type, "unreadable", excerpt(str(error)), "")
    extra = error.get("extra_info")
    name = extra.get("input_name") if isinstance(extra, Mapping) else None
    return InputError(
        node_id=node,
        class_type=class_type,
        kind=str(error.get("type") or "unknown"),
        message=excerpt(str(error.get("message") or "")),
        details=excerpt(str(error.get("details") or "")),
        input_name=None if name is None else str(name),
    )
