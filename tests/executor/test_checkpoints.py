"""A step goes on from a file of an earlier step: where it comes from, and when there is none."""

from __future__ import annotations

import pytest

from contracts.base import StoredFile
from contracts.plan import (
    ExpectedOutput,
    NodeInput,
    Step,
    StepCheckpoint,
    StepOutput,
    StepResult,
)
from services.executor.comfyui.graphs import Graph, UnfitGraph, bind, checkpoints_of
from tests.support.examples import JOB, step_result, stored

PLACE = NodeInput(node="carried_latent", input="latent")
GRAPH: Graph = {
    "carried_latent": {"class_type": "LoadLatent", "inputs": {"latent": "absent.latent"}},
    "save": {"class_type": "SaveVideo", "inputs": {"filename_prefix": "unbound"}},
}
FILE = StoredFile(key="jobs/x/steps/0/attempt-2/checkpoint.latent", sha256="cd" * 32, size_bytes=9)
STEP = Step(
    index=1,
    stage=0,
    segment=1,
    lane="comfyui-s2v-fp8",
    graph=stored(),
    uploads=(),
    checkpoints=(StepCheckpoint(step=0, output="checkpoint", at=(PLACE,)),),
    slots=(),
    outputs=(ExpectedOutput(name="video", node="save", media="video", frames=80),),
    output_key_prefix="jobs/x/steps/1",
    expected_frames=80,
    deadline_s=60,
)


def _left(*outputs: StepOutput) -> dict[int, StepResult]:
    result = step_result()
    return {0: result.model_copy(update={"outputs": (*result.outputs, *outputs)})}


CHECKPOINT = StepOutput(
    name="checkpoint", node="save_checkpoint", filename="s0_00001_.latent", file=FILE
)


def test_a_checkpoint_is_uploaded_by_content_and_named_in_the_graph() -> None:
    carried = checkpoints_of(STEP, _left(CHECKPOINT))
    assert [(u.source, u.engine_filename) for u in carried] == [(FILE, f"{'cd' * 32}.latent")]
    bound = bind(GRAPH, STEP, job_id=JOB, attempt=1, checkpoints=carried)
    assert bound["carried_latent"]["inputs"]["latent"] == f"animatrix/{'cd' * 32}.latent"
    assert GRAPH["carried_latent"]["inputs"]["latent"] == "absent.latent"


def test_a_step_whose_checkpoint_was_never_left_is_refused() -> None:
    for finished in ({}, _left()):
        with pytest.raises(UnfitGraph, match="step 0 left no checkpoint"):
            checkpoints_of(STEP, finished)


def test_a_step_without_checkpoints_needs_no_other_step() -> None:
    assert checkpoints_of(STEP.model_copy(update={"checkpoints": ()}), {}) == ()
