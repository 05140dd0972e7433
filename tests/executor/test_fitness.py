"""Where a live engine's node list contradicts our graphs, as the snapshot tells it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from contracts.engines import Shortfall
from engines.comfyui import Catalogue
from planning.needs import choice_keys, every_trial
from planning.registry import load_workflows
from services.executor.comfyui.fitness import packages_of, shortfalls_of
from tests.executor.scene import SimulatedComfy

TOLD = frozenset({"Loader.file"})


def _classes() -> dict[str, Any]:
    def made(inputs: dict[str, Any], *outputs: str, module: str = "nodes") -> dict[str, Any]:
        return {
            "input": {"required": inputs},
            "output": list(outputs),
            "output_node": not outputs,
            "python_module": module,
        }

    return {
        "Loader": made({"file": [["a.safetensors"], {}]}, "MODEL"),
        "Sampler": made(
            {
                "model": ["MODEL", {}],
                "steps": ["INT", {"min": 1, "max": 50}],
                "name": ["COMBO", {"options": ["euler"]}],
            },
            "LATENT",
            module="custom_nodes.Some-Pack.nodes",
        ),
        "Save": made({"samples": ["LATENT", {}]}),
    }


GRAPH: dict[str, Any] = {
    "load": {"class_type": "Loader", "inputs": {"file": "a.safetensors"}},
    "sample": {
        "class_type": "Sampler",
        "inputs": {"model": ["load", 0], "steps": 20, "name": "euler"},
    },
    "save": {"class_type": "Save", "inputs": {"samples": ["sample", 0]}},
}


def found(classes: dict[str, Any]) -> tuple[Shortfall, ...]:
    return shortfalls_of([GRAPH, GRAPH], Catalogue.read(classes), TOLD)


def test_an_engine_with_all_of_it_has_no_shortfalls() -> None:
    assert found(_classes()) == ()


@pytest.mark.parametrize(
    ("node_class", "name", "spec", "expected"),
    [
        ("Sampler", "steps", ["INT", {"min": 1, "max": 10}], {"maximum": 10, "minimum": 1}),
        ("Sampler", "name", [["lcm"], {}], {"value": "euler"}),
        ("Sampler", "name", ["COMBO", {"options": ["lcm"]}], {"value": "euler"}),
        ("Sampler", "name", ["INT", {}], {"value": "euler"}),
        ("Sampler", "model", ["CLIP", {}], {"source": "Loader.0"}),
        ("Sampler", "eta", ["FLOAT", {}], {"kind": "missing_input"}),
        ("Sampler", "model", None, {"kind": "unknown_input"}),
    ],
)
def test_a_class_that_differs_is_one_shortfall(
    node_class: str, name: str, spec: Any, expected: dict[str, Any]
) -> None:
    classes = _classes()
    inputs = classes[node_class]["input"]["required"]
    if spec is None:
        del inputs[name]
    else:
        inputs[name] = spec
    (one,) = found(classes)
    told = one.model_dump()
    assert (one.node_class, one.input) == (node_class, name)
    assert {key: told[key] for key in expected} == expected


def test_absent_classes_and_model_files_are_told_elsewhere() -> None:
    classes = _classes()
    classes["Loader"]["input"]["required"]["file"] = [["b.safetensors"], {}]
    del classes["Save"]
    assert found(classes) == ()


def test_packages_are_the_folders_of_custom_nodes() -> None:
    assert packages_of(Catalogue.read(_classes())) == ("Some-Pack",)


def test_an_engine_of_the_version_that_we_know_runs_every_trial(
    comfy: SimulatedComfy,
) -> None:
    workflows = load_workflows()
    engine_nodes = httpx.get(f"{comfy.url}/object_info").json()
    trials = tuple(every_trial(workflows))
    assert shortfalls_of(trials, Catalogue.read(engine_nodes), choice_keys(workflows)) == ()
