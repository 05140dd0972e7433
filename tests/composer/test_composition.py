"""Composing is pure: what a job becomes, byte by byte, and what cannot be composed."""

from __future__ import annotations

import json

import pytest

from contracts import keys
from contracts.base import sha256_hex
from contracts.plan import NormalizedJobRecord, RunPlan
from contracts.stages import ComfyWorkflowStage
from planning.binding import BindingFailed
from planning.registry import WorkflowCorrupt, WorkflowRegistry
from services.composer.composition import compose, deadline_of
from tests.composer.jobs import media_prepared, submitted
from tests.planning.examples import SILENT, WORKFLOWS, animate, audio_performance, planned


def test_the_record_holds_the_plan_the_media_and_the_time_of_submission() -> None:
    job = submitted()
    prepared = media_prepared(job)
    made = compose(job, prepared, WORKFLOWS)
    record = NormalizedJobRecord.model_validate_json(made.files[keys.job_record(job.job_id)])
    assert (record.job_id, record.submitted_at) == (job.job_id, job.occurred_at)
    assert record.stages == job.plan.stages
    assert record.prepared == prepared.prepared
    assert record.resolved_prompt == job.plan.resolved_prompt


def test_the_run_plan_names_lane_graph_uploads_slots_outputs_and_deadline() -> None:
    job = submitted()
    made = compose(job, media_prepared(job), WORKFLOWS)
    step = made.run_plan.comfy_steps[0]
    assert (step.lane, step.expected_frames, step.skip_frames) == ("comfyui-animate-fp8", 45, 0)
    assert {u.engine_subfolder for u in step.uploads} == {"animatrix"}
    assert [o.name for o in step.outputs] == ["video", "pose_preview"]
    assert {s.at.node for s in step.slots} == {o.node for o in step.outputs}
    assert step.output_key_prefix == f"jobs/{job.job_id}/steps/0"
    assert step.deadline_s > 1800


def test_every_named_file_is_stored_under_its_hash() -> None:
    job = submitted()
    made = compose(job, media_prepared(job), WORKFLOWS)
    for file in (made.run_plan_file, made.run_plan.record, made.run_plan.comfy_steps[0].graph):
        assert sha256_hex(made.files[file.key]) == file.sha256
        assert len(made.files[file.key]) == file.size_bytes
    assert RunPlan.model_validate_json(made.files[made.run_plan_file.key]) == made.run_plan


def test_the_soundtrack_is_the_prepared_sound() -> None:
    job = submitted()
    prepared = media_prepared(job)
    sound = next(p.file for p in prepared.prepared if p.role == "soundtrack")
    assert compose(job, prepared, WORKFLOWS).run_plan.delivery.soundtrack == sound


def test_a_silent_job_has_no_soundtrack_and_audio_performance_no_pose_preview() -> None:
    silent = submitted(animate(motion_video_asset_id=SILENT))
    delivery = compose(silent, media_prepared(silent), WORKFLOWS).run_plan.delivery
    assert delivery.soundtrack is None
    assert delivery.pose_preview_key == f"jobs/{silent.job_id}/outputs/pose_preview.mp4"
    sung = submitted(audio_performance())
    delivery = compose(sung, media_prepared(sung), WORKFLOWS).run_plan.delivery
    assert delivery.pose_preview_key is None
    assert delivery.soundtrack is not None


def test_composing_again_gives_the_same_bytes() -> None:
    job = submitted()
    prepared = media_prepared(job)
    files = [dict(compose(job, prepared, WORKFLOWS).files) for _ in range(3)]
    assert files[0] == files[1] == files[2]


def test_no_user_text_but_the_prompts_gets_into_a_graph() -> None:
    job = submitted(animate(prompt="only this"))
    made = compose(job, media_prepared(job), WORKFLOWS)
    graph = json.loads(made.files[keys.step_graph(job.job_id, 0)])
    assert graph["prompt"]["inputs"]["text"] == "only this"
    assert job.job_id not in json.dumps(graph)


def test_media_that_the_plan_did_not_order_are_refused() -> None:
    job = submitted()
    prepared = media_prepared(job)
    missing = prepared.model_copy(update={"prepared": prepared.prepared[:-1]})
    other = prepared.prepared[0].model_copy(update={"recipe_id": "0" * 16})
    wrong = prepared.model_copy(update={"prepared": (other, *prepared.prepared[1:])})
    for bad in (missing, wrong):
        with pytest.raises(BindingFailed, match="not those the plan ordered"):
            compose(job, bad, WORKFLOWS)


def test_a_pinned_version_that_is_gone_is_refused() -> None:
    job = submitted()
    with pytest.raises(WorkflowCorrupt, match="is not here"):
        compose(job, media_prepared(job), WorkflowRegistry(()))


def test_the_deadline_grows_with_frames_size_steps_and_guidance() -> None:
    def seconds(profile: str) -> int:
        stage = planned(animate(quality_profile=profile)).stages[0]
        assert isinstance(stage, ComfyWorkflowStage)
        rule = WORKFLOWS.pinned(stage.workflow).manifest.deadline
        return deadline_of(rule, stage, 77)

    draft, standard, high = (seconds(p) for p in ("draft", "standard", "high"))
    assert 1800 < draft < standard < high < 8 * 3600
