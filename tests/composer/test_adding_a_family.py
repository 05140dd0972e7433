"""A new family needs a folder in the registry: planned, bound, composed and matched without code.

The folders are copies of released versions under other names, as a newer family would come.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.lanes import all_lanes
from planning.matching import engine_lanes, mode_availability
from planning.planner import Refusal, plan
from planning.registry import WORKFLOWS_DIR, WorkflowCorrupt, WorkflowRegistry, load_workflows
from planning.release import release
from planning.requests import JobRequest
from services.composer.composition import compose
from tests.composer.jobs import media_prepared, submitted
from tests.planning.examples import SEED, animate, engine, known, pose_control

AddFamily = Callable[..., WorkflowRegistry]


@pytest.fixture
def add_family(tmp_path: Path) -> AddFamily:
    """Copies a released version into a new family, edits its manifest, and releases it."""

    def add(source: str, family: str, name: str, **changes: Any) -> WorkflowRegistry:
        root = tmp_path / "workflows"
        if not root.exists():
            shutil.copytree(WORKFLOWS_DIR, root)
        folder = root / family / name / "1.0.0"
        shutil.copytree(root / source, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        named = {"family": family, "workflow_name": name, "workflow_version": "1.0.0"}
        (folder / "manifest.json").write_text(json.dumps({**manifest, **named, **changes}))
        assert release(root) == (f"{family}/{name}/1.0.0",)
        load_workflows.cache_clear()
        return load_workflows(root)

    return add


def planned_with(request: JobRequest, workflows: WorkflowRegistry) -> JobPlan:
    made = plan(request, known(), workflows, (engine(),), SEED)
    assert isinstance(made, JobPlan), made
    return made


def stage_of(made: JobPlan) -> ComfyWorkflowStage:
    (stage,) = made.stages
    assert isinstance(stage, ComfyWorkflowStage)
    return stage


def test_a_newer_family_takes_a_mode_over_when_it_is_activated(add_family: AddFamily) -> None:
    workflows = add_family("animate/wan22_animate_move/1.1.0", "animate2", "wan_animate_2")
    before = stage_of(planned_with(animate(), workflows))
    assert before.workflow.name == "wan22_animate_move"

    active = workflows.with_active({"wan_animate_2": "1.0.0"})
    assert stage_of(planned_with(animate(), active)).workflow.family == "animate2"
    # Its lanes exist, and an engine with the files serves them.
    assert {"comfyui-animate2-fp8", "comfyui-animate2-bf16"} <= set(all_lanes(active))
    assert "comfyui-animate2-fp8" in engine_lanes(active, engine())

    job = submitted().model_copy(update={"plan": planned_with(animate(), active)})
    made = compose(job, media_prepared(job), active)
    assert [step.lane for step in made.run_plan.comfy_steps] == ["comfyui-animate2-fp8"]


def test_two_families_are_not_both_active_for_one_mode(add_family: AddFamily) -> None:
    workflows = add_family("animate/wan22_animate_move/1.1.0", "animate2", "wan_animate_2")
    both = {"wan_animate_2": "1.0.0", "wan22_animate_move": "1.1.0"}
    with pytest.raises(WorkflowCorrupt, match="both active"):
        workflows.with_active(both)


def test_a_submode_that_nothing_made_is_offered_once_its_folder_is_there(
    add_family: AddFamily,
) -> None:
    request = pose_control(control_kind="trajectory")
    assert isinstance(plan(request, known(), load_workflows(), (engine(),), SEED), Refusal)
    workflows = add_family(
        "fun_control/wan22_fun_control_canny/1.0.0",
        "trajectory",
        "drawn_trajectory",
        submode="trajectory",
        title="Trajectory control",
    )
    assert stage_of(planned_with(request, workflows)).workflow.name == "drawn_trajectory"
    modes = {m.mode: m for m in mode_availability(workflows, (engine(),))}
    assert "trajectory" in {s.submode for s in modes["pose_control"].submodes if s.available}
