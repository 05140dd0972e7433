"""Which files of which steps make the delivered video, and which of their frames are kept.

Pure: reads a run plan and an execution report. Must not open a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import StoredFile
from contracts.plan import (
    ExecutionReport,
    ExpectedOutput,
    RunPlan,
    Step,
    StepOutput,
    StepResult,
    WebuiStep,
)
from services.collector.faults import invalid, missing

PICTURES = "pictures"
"""The one output of a WebUI step: the index of its pictures."""
POSE_PREVIEW = "pose_preview"
OVERLAP = "overlap"
"""The frames before a segment's own, saved again by the segment; only compared, never shown."""


@dataclass(frozen=True, slots=True)
class SegmentOrder:
    """One segment's file: it must hold `file_frames` frames, of which `take_frames` are kept
    after the first `skip_frames`."""

    step: int
    output: StepOutput
    file_frames: int
    skip_frames: int
    take_frames: int

    @property
    def whole(self) -> bool:
        """True when every frame of the file is kept."""
        return self.skip_frames == 0 and self.take_frames == self.file_frames


def check_report(plan: RunPlan, report: ExecutionReport) -> None:
    """Refuse a report that does not tell of every step of the plan, in order.

    Raises ResultFault (result_missing) for an absent step or expected output, (result_invalid)
    for a report of another job or a result out of place.
    """
    if report.job_id != plan.job_id:
        raise invalid(f"the report is of job {report.job_id}, the run plan of {plan.job_id}")
    told = [result.step for result in report.results]
    absent = [step.index for step in plan.steps if step.index not in told]
    if absent:
        raise missing(f"the report tells nothing of steps {absent}", absent[0])
    if told != [step.index for step in plan.steps]:
        raise invalid(f"the report tells of steps {told}, out of place")
    for step, result in zip(plan.steps, report.results, strict=True):
        if isinstance(step, WebuiStep):
            pictures_output(plan, report, step.index)
            continue
        for expected in step.outputs:
            if _named(result, expected) is None:
                raise missing(
                    f"step {step.index} yielded no {expected.name} from node {expected.node}",
                    step.index,
                )


def pictures_output(plan: RunPlan, report: ExecutionReport, step: int) -> StoredFile:
    """The index of the pictures that a WebUI step left. Raises ResultFault when there is none, or
    when the step is not one of WebUI."""
    if step >= len(plan.steps) or not isinstance(plan.steps[step], WebuiStep):
        raise invalid(f"step {step} of the plan makes no pictures")
    found = [output for output in report.results[step].outputs if output.name == PICTURES]
    if len(found) != 1:
        raise missing(f"step {step} yielded {len(found)} indexes of pictures", step)
    return found[0].file


def delivered_segments(plan: RunPlan, report: ExecutionReport) -> tuple[SegmentOrder, ...]:
    """The files of the delivered video in order, kept frames adding up to the delivery's.

    They are the videos of the last stage's steps. Frames beyond the ordered count fall away at
    the end. Raises ResultFault (result_missing) when the steps were to make too few.
    """
    return _segments(plan, report, None, frames=plan.delivery.frame.frames)


def pose_preview_segments(plan: RunPlan, report: ExecutionReport) -> tuple[SegmentOrder, ...]:
    """The files of the pose preview in order; empty when the plan delivers none or no step
    makes one."""
    if plan.delivery.pose_preview_key is None:
        return ()
    return _segments(plan, report, POSE_PREVIEW, frames=None)


def overlap_segments(plan: RunPlan, report: ExecutionReport) -> tuple[SegmentOrder, ...]:
    """The overlaps of further segments, in order; empty when no step makes one."""
    return _segments(plan, report, OVERLAP, frames=None)


def _segments(
    plan: RunPlan, report: ExecutionReport, name: str | None, *, frames: int | None
) -> tuple[SegmentOrder, ...]:
    if not plan.comfy_steps:
        raise missing("no step of the plan makes a clip")
    last_stage = max(step.stage for step in plan.comfy_steps)
    orders: list[SegmentOrder] = []
    left = frames
    for step, result in zip(plan.steps, report.results, strict=True):
        if isinstance(step, WebuiStep):
            continue
        expected = _video(step, name)
        if expected is None or (step.stage != last_stage and name is None):
            continue
        output = _named(result, expected)
        if output is None:
            raise missing(f"step {step.index} yielded no {expected.name}", step.index)
        file_frames = expected.frames or step.expected_frames
        kept = file_frames - (0 if name == OVERLAP else step.skip_frames)
        take = kept if left is None else min(kept, left)
        if take <= 0:
            raise invalid(
                f"step {step.index} adds no frame to the video: {file_frames} made, "
                f"{step.skip_frames} skipped, {left} wanted",
                step.index,
            )
        left = None if left is None else left - take
        orders.append(SegmentOrder(step.index, output, file_frames, file_frames - kept, take))
    if left:
        raise missing(f"the steps make {left} frames fewer than the {frames} ordered")
    return tuple(orders)


def _video(step: Step, name: str | None) -> ExpectedOutput | None:
    """The step's video of a name; without a name the one that is to be delivered."""
    videos = [
        e
        for e in step.outputs
        if e.media == "video"
        and (e.name == name if name else e.name not in (POSE_PREVIEW, OVERLAP))
    ]
    if len(videos) > 1:
        raise invalid(f"step {step.index} makes {len(videos)} videos to choose from", step.index)
    return videos[0] if videos else None


def _named(result: StepResult, expected: ExpectedOutput) -> StepOutput | None:
    found = [o for o in result.outputs if (o.name, o.node) == (expected.name, expected.node)]
    return found[0] if found else None
