"""Node catalogues, matching of graphs, capability snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engines.comfyui import CapabilitySnapshot, Catalogue, Missing, missing_for
from engines.comfyui.matching import links_fit

SEED_MAX = 18446744073709551615
OBJECT_INFO: dict[str, Any] = {
    "Loader": {
        "input": {"required": {"unet_name": [["a.safetensors", "b.safetensors"], {}]}},
        "output": ["MODEL"],
        "output_name": ["MODEL"],
        "output_node": False,
        "python_module": "nodes",
    },
    "AudioLoader": {
        "input": {"required": {"name": ["COMBO", {"options": ["w.safetensors"]}]}},
        "output": ["AUDIO_ENCODER", ["x", "y"]],
        "output_name": ["AUDIO_ENCODER"],
    },
    "LoadImage": {
        "input": {"required": {"image": [["old.png"], {"image_upload": True}]}},
        "output": ["IMAGE", "MASK"],
        "output_name": ["IMAGE", "MASK"],
    },
    "Sampler": {
        "input": {
            "required": {
                "model": ["MODEL", {"tooltip": "the model"}],
                "seed": ["INT", {"default": 0, "min": 0, "max": SEED_MAX}],
                "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1}],
                "mode": [[0, 1, True], {}],
                "remote": ["COMBO", {"remote": {"route": "/x"}}],
                "many": ["COMBO", {"options": ["p", "q"], "multiselect": True}],
            },
            "optional": {"image": ["IMAGE,MASK"], "text": ["STRING", {"multiline": True}]},
            "hidden": {"prompt": "PROMPT"},
        },
        "output": ["LATENT"],
        "output_name": ["LATENT"],
    },
    "Save": {
        "input": {"required": {"anything": ["*", {}]}, "optional": {"choice": [["x", "y"]]}},
        "output": [],
        "output_node": True,
    },
    "Grow": {
        "input": {"required": {"images": ["COMFY_AUTOGROW_V3", {"template": {}}]}},
        "output": ["COMFY_MATCHTYPE_V3"],
        "output_node": True,
    },
    "Broken": None,
    "AlsoBroken": {"input": "text"},
}
CATALOGUE = Catalogue.read(OBJECT_INFO)
SAMPLER: dict[str, Any] = {
    "model": ["1", 0], "seed": 7, "cfg": 1, "mode": 1, "remote": "z", "many": ["p", "q"],
}  # fmt: skip


def graph(**changes: Any) -> dict[str, Any]:
    return {
        "1": {"class_type": "Loader", "inputs": {"unet_name": "a.safetensors"}},
        "2": {"class_type": "Sampler", "inputs": SAMPLER | changes},
        "3": {"class_type": "Save", "inputs": {"anything": ["2", 0]}},
    }


def kinds(problems: tuple[Missing, ...]) -> list[tuple[str, str, str | None]]:
    return [(p.kind, p.node, p.input) for p in problems]


def test_both_styles_of_lists_are_read() -> None:
    assert CATALOGUE["Loader"].inputs["unet_name"].options == ("a.safetensors", "b.safetensors")
    assert CATALOGUE["AudioLoader"].inputs["name"].options == ("w.safetensors",)
    assert CATALOGUE["AudioLoader"].inputs["name"].type == "COMBO"
    assert CATALOGUE["Sampler"].inputs["remote"].options is None
    assert [output.type for output in CATALOGUE["AudioLoader"].outputs] == [
        "AUDIO_ENCODER",
        "COMBO",
    ]
    seed = CATALOGUE["Sampler"].inputs["seed"]
    assert (seed.minimum, seed.maximum, seed.required) == (0, SEED_MAX, True)
    assert not CATALOGUE["Sampler"].inputs["image"].required
    assert "prompt" not in CATALOGUE["Sampler"].inputs


def test_classes_of_another_shape_are_absent() -> None:
    assert "Broken" not in CATALOGUE
    assert "AlsoBroken" not in CATALOGUE
    assert len(Catalogue.read({})) == 0


def test_a_fitting_graph_misses_nothing() -> None:
    assert missing_for(graph(), CATALOGUE) == ()
    assert missing_for(graph(seed=SEED_MAX, text="hello", mode=True), CATALOGUE) == ()


@pytest.mark.parametrize(
    ("changes", "kind", "name"),
    [
        ({"seed": -1}, "out_of_range", "seed"),
        ({"seed": SEED_MAX + 1}, "out_of_range", "seed"),
        ({"cfg": 100.5}, "out_of_range", "cfg"),
        ({"cfg": float("nan")}, "out_of_range", "cfg"),
        ({"seed": "many"}, "wrong_value_type", "seed"),
        ({"seed": None}, "wrong_value_type", "seed"),
        ({"text": {"a": 1}}, "wrong_value_type", "text"),
        ({"mode": 3}, "value_not_listed", "mode"),
        ({"many": ["p", "z"]}, "value_not_listed", "many"),
        ({"stepz": 4}, "unknown_input", "stepz"),
        ({"model": ["3", 0]}, "broken_link", "model"),
        ({"model": ["1", 4]}, "broken_link", "model"),
        ({"model": ["99", 0]}, "broken_link", "model"),
        ({"image": ["1", 0]}, "wrong_link_type", "image"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], kind: str, name: str) -> None:
    problems = missing_for(graph(**changes), CATALOGUE)
    assert (kind, "2", name) in kinds(problems)


def test_newer_lists_are_compared_though_the_server_does_not() -> None:
    changed = graph() | {
        "4": {"class_type": "AudioLoader", "inputs": {"name": "absent.safetensors"}}
    }
    (problem,) = missing_for(changed, CATALOGUE)
    assert (problem.kind, problem.node, problem.input) == ("value_not_listed", "4", "name")
    assert "absent.safetensors" in problem.detail


def test_uploads_in_subfolders_are_not_missing() -> None:
    load = {"class_type": "LoadImage", "inputs": {"image": "animatrix/abc.png"}}
    assert missing_for(graph(image=["5", 1]) | {"5": load}, CATALOGUE) == ()


def test_an_absent_class_is_told_once_and_its_links_are_not() -> None:
    changed = graph(image=["5", 0]) | {"5": {"class_type": "KJNode", "inputs": {"a": 1}}}
    assert kinds(missing_for(changed, CATALOGUE)) == [("absent_class", "5", None)]


def test_required_inputs_outputs_and_circles() -> None:
    changed = graph()
    changed["2"]["inputs"].pop("cfg")
    assert kinds(missing_for(changed, CATALOGUE)) == [("missing_input", "2", "cfg")]
    without_output = {"1": graph()["1"]}
    assert kinds(missing_for(without_output, CATALOGUE)) == [("no_output_node", "", None)]
    assert [p.kind for p in missing_for({}, CATALOGUE)] == ["no_output_node"]
    circle = {
        "1": {"class_type": "Grow", "inputs": {"images.image0": ["2", 0]}},
        "2": {"class_type": "Grow", "inputs": {"images.image0": ["1", 0]}},
    }
    assert [p.kind for p in missing_for(circle, CATALOGUE)] == ["cycle"]


@pytest.mark.parametrize("node", [None, 3, {}, {"class_type": None}, {"inputs": 3}])
def test_a_graph_of_another_shape_has_an_absent_class(node: Any) -> None:
    assert "absent_class" in {p.kind for p in missing_for({"1": node}, CATALOGUE)}


def test_links_fit_by_name_union_and_wildcard() -> None:
    assert links_fit("IMAGE", "IMAGE,MASK")
    assert links_fit("*", "MODEL")
    assert links_fit("MODEL", "*")
    assert not links_fit("MODEL", "IMAGE,MASK")


def test_a_snapshot_of_another_schema_is_not_read() -> None:
    data = CapabilitySnapshot(1, "0.3.64", None, None, None, None, (), ("A",), {}, {}).as_data()
    assert CapabilitySnapshot.from_data(json.loads(json.dumps(data))).classes == ("A",)
    with pytest.raises(ValueError, match="schema"):
        CapabilitySnapshot.from_data(data | {"schema_version": 2})
