"""What an engine must have for a workflow, down to inputs, links, ranges and versions."""

from __future__ import annotations

import time
from typing import Any

import pytest

from contracts.engines import EngineSnapshot, Shortfall
from contracts.errors import ErrorCode
from planning.binding import bind
from planning.matching import mode_availability
from planning.needs import every_trial, graph_shortfalls, shortfalls, trial_graphs
from planning.profiles import switches_of
from tests.planning.examples import WORKFLOWS, animate, bindable, engine, planned, refused


def shortfall(place: str, kind: Any, **more: Any) -> Shortfall:
    node_class, _, name = place.partition(".")
    fields = {"kind": kind, "node_class": node_class, "input": name, "detail": f"{place}: {kind}"}
    return Shortfall(**(fields | more))


def of_move(profile: str, *found: Shortfall, **more: Any) -> tuple[str, ...]:
    version = WORKFLOWS.for_mode("animate", "move")
    meant = version.manifest.profiles[profile]  # type: ignore[index]
    seen = engine(shortfalls=found, **more)
    return shortfalls(version, meant, switches_of(version, meant), seen)


@pytest.mark.parametrize(
    ("found", "draft_fits", "standard_fits"),
    [
        (shortfall("KSampler.denoise", "unknown_input"), False, False),
        (shortfall("KSampler.eta", "missing_input"), False, False),
        (shortfall("KSampler.seed", "missing_input"), True, True),
        (shortfall("KSampler.sampler_name", "value_not_listed", value="euler"), False, False),
        (shortfall("KSampler.sampler_name", "value_not_listed", value="lcm"), True, True),
        (shortfall("KSampler.steps", "out_of_range", minimum=1, maximum=10), True, False),
        (shortfall("KSampler.steps", "out_of_range", minimum=10), False, True),
        (shortfall("KSampler.latent_image", "wrong_link_type", source="VAEEncode.0"), True, True),
        (shortfall("Wan2Unheard.of", "unknown_input"), True, True),
        (
            shortfall("KSampler.model", "wrong_link_type", source="LoraLoaderModelOnly.0"),
            True,
            True,
        ),
        (
            shortfall("ModelSamplingSD3.model", "wrong_link_type", source="LoraLoaderModelOnly.0"),
            False,
            True,
        ),
    ],
)
def test_a_shortfall_counts_where_the_graph_meets_it(
    found: Shortfall, draft_fits: bool, standard_fits: bool
) -> None:
    assert (of_move("draft", found) == ()) is draft_fits
    assert (of_move("standard", found) == ()) is standard_fits


def test_the_words_name_the_node_and_what_differs() -> None:
    found = shortfall("KSampler.eta", "missing_input", detail="KSampler.eta: required")
    assert of_move("draft", found) == (
        "the node KSampler as this workflow uses it (KSampler.eta: required)",
    )


@pytest.mark.parametrize(
    ("version", "fits"),
    [("0.3.64", True), ("0.3.63", False), ("0.38.1", True), ("v0.3.70", True), ("unknown", True)],
)
def test_the_version_of_the_engine_must_be_one_that_the_manifest_names(
    version: str, fits: bool
) -> None:
    said = of_move("draft", version=version)
    assert said == (() if fits else (f"ComfyUI >=0.3.64 (this one is {version})",))


def test_an_installed_package_that_lacks_a_class_is_told_from_one_that_is_absent() -> None:
    missing = ("DWPreprocessor",)
    absent = of_move("draft", without_classes=missing)
    other = of_move("draft", without_classes=missing, packages=("ComfyUI_Controlnet_Aux",))
    assert absent == ("the node DWPreprocessor (from comfyui_controlnet_aux)",)
    assert other == (
        "the node DWPreprocessor (from comfyui_controlnet_aux, which is there in a version "
        "without it)",
    )


def test_trials_are_the_largest_that_a_profile_makes() -> None:
    version = WORKFLOWS.for_mode("animate", "move")
    high = version.manifest.profiles["high"]
    first, further = trial_graphs(version, high, switches_of(version, high))
    inputs = first["animation"]["inputs"]
    assert (inputs["width"], inputs["height"], inputs["length"]) == (1280, 1280, 77)
    assert first["sampler"]["inputs"]["steps"] == 30
    assert further["animation"]["inputs"]["length"] == 77


def test_every_class_of_every_workflow_is_tried() -> None:
    tried = {node["class_type"] for graph in every_trial(WORKFLOWS) for node in graph.values()}
    assert tried == {c for v in WORKFLOWS.versions for c in v.manifest.node_classes}


def test_a_bound_graph_meets_the_shortfalls_of_its_engine() -> None:
    version, stage, prepared = bindable(planned(animate()))
    graph = bind(version, stage, stage.segments[0], prepared).graph
    poor = engine(shortfalls=(shortfall("KSampler.steps", "out_of_range", maximum=6),))
    assert graph_shortfalls(WORKFLOWS, graph, engine()) == ()
    assert len(graph_shortfalls(WORKFLOWS, graph, poor)) == 1


def _unfit(name: str) -> EngineSnapshot:
    return engine(name, shortfalls=(shortfall("SaveVideo.licence", "missing_input"),))


def test_a_mode_that_no_engine_can_run_is_refused_with_the_cause_for_operators() -> None:
    told = refused(animate(), engines=(_unfit("a"), _unfit("b"))).errors[0]
    assert told.code == ErrorCode.MODE_UNAVAILABLE
    assert told.detail is not None
    assert "SaveVideo.licence" in told.detail
    assert planned(animate(), engines=(_unfit("a"), engine("b")))


def test_a_refusal_for_the_engines_sake_takes_milliseconds() -> None:
    engines = tuple(_unfit(f"engine-{n}") for n in range(8))
    mode_availability(WORKFLOWS, engines)
    took_s = []
    for _ in range(20):
        began_s = time.process_time()
        refused(animate(), engines=engines)
        took_s.append(time.process_time() - began_s)
    assert sorted(took_s)[10] < 0.05
