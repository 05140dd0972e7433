"""Released workflow versions: they never change, and the golden graphs made of them neither."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planning.registry import (
    LOCK_FILE,
    WORKFLOWS_DIR,
    WorkflowCorrupt,
    WorkflowRegistry,
    content_sha256,
    load_workflows,
    read_lock,
    read_parts,
)
from planning.release import release
from tests.planning.examples import WORKFLOWS
from tests.planning.golden_graphs import bound, path_of, requests, text_of

RELEASED = {
    "animate/wan22_animate_mix/1.0.0": (
        "500152f0834cb095b3855b278d141e368a05fa80f643758bb45110e0a111f061"
    ),
    "animate/wan22_animate_mix/1.1.0": (
        "163334282cc09f1cc61a72fb8134d880c2d0565860600cfe45a93895d69286f2"
    ),
    "animate/wan22_animate_move/1.0.0": (
        "06ddda37702c752029fc632be5d44743ecfccc9f651011eb60ce1588203b3653"
    ),
    "animate/wan22_animate_move/1.1.0": (
        "11b5a5a14349010994ab22cdeb7274bf8dc629130ad46ab01566252062731478"
    ),
    "fun_control/wan22_fun_control_canny/1.0.0": (
        "3f2c63fe328d5e102993035e840153ced686ecaea05b4e98b225fadf478d2f70"
    ),
    "fun_control/wan22_fun_control_depth/1.0.0": (
        "df391e96e2ec6e9b48e2224850ade761078c73ececd7ac842a00dc7a41709000"
    ),
    "fun_control/wan22_fun_control_pose/1.0.0": (
        "7cc3bd15d38753558d3122b8c4d5d55aab301737106c5d9eb7ebb0290c1ce738"
    ),
    "fun_control/wan22_fun_control_pose_sheet/1.0.0": (
        "ae1be213bc6a12edbfb7a21bb031f420f2d6012b803537ffb544eee4249299aa"
    ),
    "fun_inp/wan22_fun_inp/1.0.0": (
        "3871ee1b2b848aaacaaf2855344fce049a07ed272eb8894a39c0ed06576d4dac"
    ),
    "s2v/wan22_s2v/1.0.0": ("78ce45fc32a82aa5c359cb52d08e437f1292967ee25a83edf8a2aaa9630c2eaa"),
    "s2v/wan22_s2v/1.1.0": ("3486b44230d6bc4acb464158a62add35c46160a9e7eae7aa5ab5f7381b7b84ab"),
}
"""Every version ever released with its hash; lines are added, never changed."""

MOVE = "animate/wan22_animate_move/1.0.0"


@pytest.mark.parametrize("key", RELEASED)
def test_a_released_version_never_changes(key: str) -> None:
    assert content_sha256(read_parts(WORKFLOWS_DIR / key)) == RELEASED[key]
    assert read_lock(WORKFLOWS_DIR)[key] == RELEASED[key]


def test_every_version_in_the_lock_is_pinned_by_these_tests() -> None:
    assert read_lock(WORKFLOWS_DIR) == RELEASED


@pytest.mark.parametrize("name", requests())
def test_a_bound_graph_is_the_golden_one(name: str) -> None:
    assert text_of(bound(name)) == path_of(name).read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the workflows that a test may spoil."""
    return Path(shutil.copytree(WORKFLOWS_DIR, tmp_path / "workflows"))


def _edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_changed_graph_is_refused_at_start_and_at_release(folder: Path) -> None:
    graph = folder / MOVE / "graph.json"
    _edit(graph, lambda g: g["sampler"]["inputs"].update(denoise=0.9))
    with pytest.raises(WorkflowCorrupt, match="its release was"):
        load_workflows(folder)
    with pytest.raises(WorkflowCorrupt, match="never change"):
        release(folder)


def test_another_layout_of_the_same_content_is_the_same_version(folder: Path) -> None:
    _edit(folder / MOVE / "graph.json", lambda _: None)
    pinned = WorkflowRegistry(load_workflows(folder).versions, {"wan22_animate_move": "1.0.0"})
    assert pinned.for_mode("animate", "move").ref.sha256 == RELEASED[MOVE]


def test_a_version_that_the_lock_lacks_or_the_folder_lost_is_refused(folder: Path) -> None:
    _edit(folder / LOCK_FILE, lambda lock: lock["released"].pop(MOVE))
    with pytest.raises(WorkflowCorrupt, match="lock and folder differ"):
        load_workflows(folder)
    assert release(folder) == (MOVE,)
    shutil.rmtree(folder / MOVE)
    with pytest.raises(WorkflowCorrupt, match="never change"):
        release(folder)


def test_a_new_version_is_released_beside_the_old_one_and_may_be_activated(folder: Path) -> None:
    newer = folder / "animate/wan22_animate_move/1.10.0"
    shutil.copytree(folder / MOVE, newer)
    _edit(newer / "manifest.json", lambda m: m.update(workflow_version="1.10.0"))
    assert release(folder) == ("animate/wan22_animate_move/1.10.0",)
    registry = load_workflows(folder)
    assert registry.for_mode("animate", "move").ref.version == "1.10.0"
    back = registry.with_active({"wan22_animate_move": "1.0.0"})
    assert back.for_mode("animate", "move").ref.version == "1.0.0"
    old = WORKFLOWS.for_mode("animate", "move").ref
    assert registry.pinned(old).ref == old
    with pytest.raises(WorkflowCorrupt, match=r"9\.9\.9 is not released"):
        registry.with_active({"wan22_animate_move": "9.9.9"})


def test_a_plan_that_pins_other_content_is_refused() -> None:
    ref = WORKFLOWS.for_mode("animate", "move").ref
    with pytest.raises(WorkflowCorrupt, match="the plan pinned"):
        WORKFLOWS.pinned(ref.model_copy(update={"sha256": "0" * 64}))
    with pytest.raises(WorkflowCorrupt, match="is not here"):
        WorkflowRegistry(()).pinned(ref)


@pytest.mark.parametrize(
    ("part", "change", "why"),
    [
        (
            "bindings",
            lambda b: b["parameters"].update(x=[{"node": "no", "input": "a"}]),
            "binds no",
        ),
        ("bindings", lambda b: b["switches"]["acceleration"].update(passes="lora_name"), "no link"),
        ("bindings", lambda b: b["outputs"]["video"].update(node="gone"), "saved by no node"),
        ("manifest", lambda m: m["node_classes"].pop(), "other node classes"),
        ("manifest", lambda m: m.update(workflow_name="other"), "says that it is other"),
        ("manifest", lambda m: m["frames"].update(length_max=80), "4 k"),
        ("manifest", lambda m: m.update(colour="red"), "colour"),
    ],
)
def test_a_version_that_contradicts_itself_is_refused(
    folder: Path, part: str, change: Callable[[Any], object], why: str
) -> None:
    (folder / LOCK_FILE).unlink()
    _edit(folder / MOVE / f"{part}.json", change)
    release(folder)
    with pytest.raises(WorkflowCorrupt, match=why):
        load_workflows(folder)


def test_manifests_name_every_class_file_and_custom_node_that_their_graphs_use() -> None:
    for version in WORKFLOWS.versions:
        manifest = version.manifest
        nodes = [node for part in version.parts for node in part.graph.values()]
        used = {node["class_type"] for node in nodes}
        assert set(manifest.node_classes) == used
        assert {c for p in manifest.custom_nodes for c in p.classes} <= used
        suffixes = (".safetensors", ".onnx", ".pt")
        named = {
            value
            for node in nodes
            for key, value in node["inputs"].items()
            if isinstance(value, str)
            and value.endswith(suffixes)
            and (node["class_type"], key) != ("LoadImage", "image")
        }
        named |= {
            value
            for profile in manifest.profiles.values()
            for value in profile.parameters.values()
            if isinstance(value, str)
        }
        assert {m.file for m in manifest.required_models} == named
