"""Decides whether a graph is taken, and says why not in ComfyUI's own error shapes.

Pure but for reading folder lists. Owns the refusal types and their order; it must not
queue or run anything. Source: the ComfyUI fact page, checked against a live 0.3.64.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulators.comfyui.catalogue import Catalogue, InputSpec, NodeSpec
from simulators.comfyui.files import Files

Graph = dict[str, Any]
Problem = dict[str, Any]

# These classes look for the named file themselves instead of checking the list of values.
FILE_CHECKED = {
    ("LoadImage", "image"): "image",
    ("LoadImageMask", "image"): "image",
    ("LoadImageOutput", "image"): "image",
    ("LoadAudio", "audio"): "audio",
    ("LoadVideo", "file"): "video",
    ("LoadLatent", "latent"): "latent",
}
LONG_LIST = 20

_CONVERT: dict[str, Callable[[Any], Any]] = {
    "INT": int,
    "FLOAT": float,
    "STRING": str,
    "BOOLEAN": bool,
}


@dataclass(frozen=True)
class Verdict:
    """``error`` is None when at least one output node can run; then ``outputs`` names them."""

    error: Problem | None
    outputs: list[str]
    node_errors: dict[str, Any]


def problem(kind: str, message: str, details: str = "", **extra: Any) -> Problem:
    """One error object as it stands in a refusal body."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def _refused(error: Problem, node_errors: dict[str, Any] | None = None) -> Verdict:
    return Verdict(error=error, outputs=[], node_errors=node_errors or {})


class _Cycle(Exception):
    """A node depends on itself."""


@dataclass
class _Checker:
    graph: Graph
    catalogue: Catalogue
    files: Files
    done: dict[str, list[Problem] | None] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)

    def check(self, node_id: str) -> list[Problem] | None:
        """Problems of a node; an empty list blames one of its ancestors; None is valid."""
        if node_id in self.done:
            return self.done[node_id]
        if node_id in self.open:
            raise _Cycle
        self.open.add(node_id)
        node = self.graph[node_id]
        spec = self.catalogue.nodes[node["class_type"]]
        inputs = node["inputs"]
        problems: list[Problem] = []
        sound = True
        for wanted in spec.inputs.values():
            if wanted.name not in inputs:
                if wanted.required:
                    problems.append(_missing(wanted.name))
                continue
            value = inputs[wanted.name]
            if isinstance(value, list):
                found, ancestor_sound = self._link(wanted, value)
                sound = sound and ancestor_sound
            else:
                found = self._value(spec, wanted, inputs)
            if found:
                problems.append(found)
        self.open.discard(node_id)
        self.done[node_id] = None if sound and not problems else problems
        return self.done[node_id]

    def _link(self, wanted: InputSpec, value: list[Any]) -> tuple[Problem | None, bool]:
        about: dict[str, Any] = {
            "input_name": wanted.name,
            "input_config": wanted.described(self.files),
        }
        if len(value) != 2:
            text = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            about["received_value"] = value
            return problem("bad_linked_input", text, wanted.name, **about), True
        origin = self.catalogue.nodes[self.graph[value[0]]["class_type"]]
        received = tuple(kind for kind, _ in origin.outputs)[value[1]]
        if not _fits(received, wanted.type):
            details = f"{wanted.name}, received_type({received}) mismatch input_type({wanted.type})"
            text = "Return type mismatch between linked nodes"
            found = problem(
                "return_type_mismatch",
                text,
                details,
                **about,
                received_type=received,
                linked_node=value,
            )
            return found, True
        try:
            return None, self.check(value[0]) is None
        except _Cycle:
            raise
        except Exception as fault:
            self.open.discard(value[0])
            found = problem(
                "exception_during_inner_validation",
                "Exception when validating inner node",
                str(fault),
                **about,
                exception_message=str(fault),
                exception_type=type(fault).__name__,
                traceback=[f'  File "simulators/comfyui/validation.py"\n{fault!r}\n'],
                linked_node=value,
            )
            self.done[value[0]] = [found]
            return None, False

    def _value(self, spec: NodeSpec, wanted: InputSpec, inputs: dict[str, Any]) -> Problem | None:
        name, value = wanted.name, inputs[wanted.name]
        about = {"input_name": name, "input_config": wanted.described(self.files)}
        if wanted.type in _CONVERT:
            try:
                value = inputs[name] = _CONVERT[wanted.type](value)
            except (ValueError, TypeError, OverflowError) as fault:
                text = f"Failed to convert an input value to a {wanted.type} value"
                details = f"{name}, {value}, {fault}"
                about |= {"received_value": value, "exception_message": str(fault)}
                return problem("invalid_input_type", text, details, **about)
        about["received_value"] = value
        if wanted.type in ("INT", "FLOAT"):
            low, high = wanted.config.get("min"), wanted.config.get("max")
            if low is not None and value < low:
                text = f"Value {value} smaller than min of {low}"
                return problem("value_smaller_than_min", text, name, **about)
            if high is not None and value > high:
                text = f"Value {value} bigger than max of {high}"
                return problem("value_bigger_than_max", text, name, **about)
        if kind := FILE_CHECKED.get((spec.name, name)):
            if isinstance(value, str) and self.files.exists(value):
                return None
            details = f"{name} - Invalid {kind} file: {value}"
            text = "Custom validation failed for node"
            return problem("custom_validation_failed", text, details, input_name=name)
        return self._listed(wanted, value, about)

    def _listed(self, wanted: InputSpec, value: Any, about: dict[str, Any]) -> Problem | None:
        choices = wanted.choices(self.files)
        # Newer-style lists are not checked here: a wrong value fails while running.
        if choices is None or wanted.typed_list or value in choices:
            return None
        shown = str(choices)
        if len(choices) > LONG_LIST:
            shown = f"(list of length {len(choices)})"
            about["input_config"] = None
        details = f"{wanted.name}: '{value}' not in {shown}"
        return problem("value_not_in_list", "Value not in list", details, **about)


def _missing(name: str) -> Problem:
    return problem("required_input_missing", "Required input is missing", name, input_name=name)


def _fits(received: str, wanted: str) -> bool:
    return "*" in (received, wanted) or received == wanted


def _output_nodes(
    graph: Graph, catalogue: Catalogue, targets: list[str] | None
) -> Verdict | list[str]:
    outputs = []
    for node_id, node in graph.items():
        where = f"Node ID '#{node_id}'"
        if not isinstance(node, dict) or "class_type" not in node:
            text = "Cannot execute because a node is missing the class_type property."
            return _refused(problem("invalid_prompt", text, where))
        spec = catalogue.nodes.get(node["class_type"])
        if spec is None:
            text = f"Cannot execute because node {node['class_type']} does not exist."
            return _refused(problem("invalid_prompt", text, where))
        if spec.output_node and (targets is None or node_id in targets):
            outputs.append(node_id)
    if not outputs:
        return _refused(problem("prompt_no_outputs", "Prompt has no outputs"))
    return outputs


def validate(
    graph: Graph, catalogue: Catalogue, files: Files, targets: list[str] | None = None
) -> Verdict:
    """Checks a graph; numbers in it are converted in place, as the real server does.

    ``targets`` limits the run to those output nodes. Steps of numbers and unknown inputs are
    not checked. Raises AttributeError when the graph is no mapping.
    """
    outputs = _output_nodes(graph, catalogue, targets)
    if isinstance(outputs, Verdict):
        return outputs
    checker = _Checker(graph, catalogue, files)
    good: list[str] = []
    node_errors: dict[str, Any] = {}
    first: list[str] = []
    for output in outputs:
        own: list[Problem] | None
        try:
            own = checker.check(output)
        except _Cycle:
            checker.open.clear()
            checker.done[output] = own = []
        except Exception as fault:
            checker.open.clear()
            own = [
                problem(
                    "exception_during_validation",
                    "Exception when validating node",
                    str(fault),
                    exception_type=type(fault).__name__,
                    traceback=[f'  File "simulators/comfyui/validation.py"\n{fault!r}\n'],
                )
            ]
            checker.done[output] = own
        if own is None:
            good.append(output)
            continue
        first += [f"{p['message']}: {p['details']}" for p in own]
        for node_id in _blamed(graph, output, checker.done):
            entry = node_errors.setdefault(
                node_id,
                {
                    "errors": checker.done[node_id],
                    "dependent_outputs": [],
                    "class_type": graph[node_id]["class_type"],
                },
            )
            entry["dependent_outputs"].append(output)
    if good:
        return Verdict(error=None, outputs=good, node_errors=node_errors)
    text = "Prompt outputs failed validation"
    error = problem("prompt_outputs_failed_validation", text, "\n".join(first))
    return _refused(error, node_errors)


def _blamed(graph: Graph, output: str, done: dict[str, list[Problem] | None]) -> list[str]:
    """The nodes with problems among an output node and its ancestors."""
    found, seen, todo = [], {output}, [output]
    while todo:
        node_id = todo.pop()
        if done.get(node_id):
            found.append(node_id)
        inputs = graph[node_id].get("inputs", {})
        for value in inputs.values():
            origin = value[0] if isinstance(value, list) and value else None
            if isinstance(origin, str) and origin in graph and origin not in seen:
                seen.add(origin)
                todo.append(origin)
    return found
