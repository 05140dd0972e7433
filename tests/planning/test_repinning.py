"""The same plan on another version of its workflow: taken where it fits, refused where not."""

from __future__ import annotations

import pytest

from contracts.stages import ComfyWorkflowStage
from planning.repinning import Unfit, repinned
from tests.composer.jobs import media_prepared, submitted
from tests.planning.examples import WORKFLOWS


def test_a_plan_is_pinned_to_another_version_that_can_take_it() -> None:
    job = submitted()
    (stage,) = job.plan.stages
    assert isinstance(stage, ComfyWorkflowStage)
    others = [
        v.ref
        for v in WORKFLOWS.versions
        if v.ref.name == stage.workflow.name and v.ref != stage.workflow
    ]
    assert others
    plan = repinned(job.plan, others[0].version, WORKFLOWS, media_prepared(job).prepared)
    (pinned,) = plan.stages
    assert isinstance(pinned, ComfyWorkflowStage)
    assert pinned.workflow == others[0]
    assert plan.model_copy(update={"stages": job.plan.stages}) == job.plan


def test_a_version_that_was_never_released_is_unfit() -> None:
    job = submitted()
    with pytest.raises(Unfit, match=r"released as .*, not as 9\.9\.9"):
        repinned(job.plan, "9.9.9", WORKFLOWS, media_prepared(job).prepared)


def test_a_version_that_lacks_a_parameter_of_the_plan_is_unfit() -> None:
    job = submitted()
    (stage,) = job.plan.stages
    assert isinstance(stage, ComfyWorkflowStage)
    odd = stage.model_copy(update={"parameters": {**stage.parameters, "odd": 1}})
    plan = job.plan.model_copy(update={"stages": (odd,)})
    with pytest.raises(Unfit, match="cannot take this plan"):
        repinned(plan, stage.workflow.version, WORKFLOWS, media_prepared(job).prepared)
