"""Binding: every value in its place, nothing else changed, equal bytes everywhere."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from contracts.base import sha256_hex
from contracts.stages import ComfyWorkflowStage, Segment
from planning.binding import BindingFailed, bind, switch_nodes
from planning.requests import JobRequest
from tests.planning.examples import (
    WORKFLOWS,
    animate,
    audio_performance,
    bindable,
    planned,
)

ANY_OF_EACH: list[JobRequest] = [
    animate(),
    animate(quality_profile="draft"),
    animate(animate_submode="mix"),
    animate(animate_submode="mix", relighting=False, quality_profile="high"),
    audio_performance(),
    audio_performance(quality_profile="draft"),
]


def _bound(request: JobRequest) -> Any:
    version, stage, prepared = bindable(planned(request))
    return bind(version, stage, stage.segments[0], prepared)


@pytest.mark.parametrize("request_", ANY_OF_EACH)
def test_every_link_of_a_bound_graph_leads_to_a_node_of_it(request_: JobRequest) -> None:
    graph = _bound(request_).graph
    for node in graph.values():
        for value in node["inputs"].values():
            if isinstance(value, list):
                assert value[0] in graph


@pytest.mark.parametrize("request_", ANY_OF_EACH)
def test_every_node_of_a_bound_graph_leads_to_a_saved_file(request_: JobRequest) -> None:
    bound = _bound(request_)
    reached = {o.node for o in bound.outputs}
    while True:
        fed = {
            value[0]
            for name in reached
            for value in bound.graph[name]["inputs"].values()
            if isinstance(value, list)
        }
        if fed <= reached:
            break
        reached |= fed
    assert reached == set(bound.graph)


def test_parameters_and_media_stand_where_the_bindings_say() -> None:
    request = animate(prompt="a tango", seed=99, duration_override_seconds=2.0)
    bound = _bound(request)
    inputs = {name: node["inputs"] for name, node in bound.graph.items()}
    assert inputs["prompt"]["text"] == "a tango"
    assert (inputs["sampler"]["seed"], inputs["sampler"]["cfg"]) == (99, 3.0)
    assert [inputs["animation"][k] for k in ("width", "height", "length")] == [576, 1024, 33]
    assert inputs["body_pose"]["resolution"] == inputs["face_pose"]["resolution"] == 576
    by_place = {(at.node, at.input): u.engine_filename for u in bound.uploads for at in u.at}
    assert inputs["motion_video"]["file"] == f"animatrix/{by_place['motion_video', 'file']}"
    assert by_place["motion_video", "file"].endswith(".mp4")


def test_every_saved_file_gets_the_prefix_of_its_attempt() -> None:
    bound = _bound(animate())
    saving = {n for n, node in bound.graph.items() if node["class_type"] == "SaveVideo"}
    assert {s.at.node for s in bound.slots if s.name == "output_prefix"} == saving
    assert {o.node for o in bound.outputs} == saving
    assert {o.name: o.frames for o in bound.outputs} == {"video": 45, "pose_preview": 45}


def test_audio_performance_asks_for_one_frame_less_than_it_delivers() -> None:
    bound = _bound(audio_performance())
    assert bound.graph["performance"]["inputs"]["length"] == 33
    assert bound.outputs[0].frames == 34


def test_a_switched_off_node_is_gone_and_its_consumer_reads_what_it_read() -> None:
    version = WORKFLOWS.for_mode("animate", "mix")
    graph = switch_nodes(version, {"acceleration": False, "relighting": False})
    assert not [n for n in graph.values() if n["class_type"] == "LoraLoaderModelOnly"]
    assert graph["shifted_model"]["inputs"]["model"] == ["diffusion_model", 0]
    only_light = switch_nodes(version, {"acceleration": False, "relighting": True})
    assert only_light["relighting_lora"]["inputs"]["model"] == ["diffusion_model", 0]
    only_fast = switch_nodes(version, {"acceleration": True, "relighting": False})
    assert only_fast["shifted_model"]["inputs"]["model"] == ["acceleration_lora", 0]


def test_a_prompt_is_a_value_and_never_becomes_structure() -> None:
    hostile = '["sampler", 0]", "class_type": "SaveImage", \x00 {{prompt}} %date%'
    assert _bound(animate(prompt=hostile)).graph["prompt"]["inputs"]["text"] == hostile


def test_binding_leaves_the_released_graph_untouched() -> None:
    version = WORKFLOWS.for_mode("animate", "move")
    before = sha256_hex(repr(version.graph).encode())
    _bound(animate())
    assert sha256_hex(repr(version.graph).encode()) == before


def _stage_of(**changes: Any) -> tuple[Any, ComfyWorkflowStage, Any]:
    version, stage, prepared = bindable(planned(animate()))
    return version, stage.model_copy(update=changes), prepared


def test_a_stage_with_a_parameter_too_many_or_too_few_is_not_bound() -> None:
    version, stage, prepared = _stage_of()
    for parameters in (
        {**stage.parameters, "denoise": 0.5},
        {k: v for k, v in stage.parameters.items() if k != "seed"},
        {k: v for k, v in stage.parameters.items() if k != "acceleration"},
        {**stage.parameters, "acceleration": 1.0},
    ):
        changed = stage.model_copy(update={"parameters": parameters})
        with pytest.raises(BindingFailed, match=r"denoise|seed|acceleration"):
            bind(version, changed, changed.segments[0], prepared)


def test_a_stage_of_another_version_is_not_bound() -> None:
    version, stage, prepared = _stage_of()
    other = stage.model_copy(
        update={"workflow": stage.workflow.model_copy(update={"sha256": "0" * 64})}
    )
    with pytest.raises(BindingFailed, match="pinned"):
        bind(version, other, other.segments[0], prepared)


def test_media_that_were_not_prepared_or_are_of_another_kind_are_not_bound() -> None:
    version, stage, prepared = _stage_of()
    with pytest.raises(BindingFailed, match="motion_video 0 was not prepared"):
        bind(version, stage, stage.segments[0], prepared[:1])
    twice = [prepared[0], prepared[0].model_copy(update={"role": "motion_video"})]
    with pytest.raises(BindingFailed, match="motion is image, not video"):
        bind(version, stage, stage.segments[0], twice)


def test_a_segment_that_no_graph_can_deliver_is_not_bound() -> None:
    version, stage, prepared = _stage_of()
    with pytest.raises(BindingFailed, match="no length delivers 78"):
        bind(version, stage, Segment(index=0, first_frame=0, frames=78), prepared)


THOUSAND_RECORDS = """
import statistics
from bench.binding import measure
took_s, sha256 = measure(1000)
print(sha256, statistics.median(took_s))
"""


def test_a_thousand_records_bound_in_two_processes_give_the_same_bytes() -> None:
    said = []
    for hash_seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", THOUSAND_RECORDS],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(ran.stdout.split())
    assert said[0][0] == said[1][0]
    # The faster of the two: the machine may be busy with other things.
    assert min(float(median_s) for _, median_s in said) < 0.005
