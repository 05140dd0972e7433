"""Composes what stage chains add: WebUI steps, and the order to render.

Pure and deterministic. Must not resolve what a stage leaves open, for it leaves nothing open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from contracts import keys
from contracts.base import StoredFile
from contracts.media import PreparedMedia, Role
from contracts.plan import AnyStep, JobPlan, RenderOrder, WebuiStep
from contracts.stages import (
    ComfyWorkflowStage,
    Img2ImgStage,
    Sampling,
    Txt2ImgStage,
    UpscaleStage,
    VideoFramesStage,
    VideoRenderStage,
    WebuiStage,
)
from contracts.subjects import WEBUI_LANES
from planning.binding import BindingFailed

DEADLINE_BASE_S = 1800
"""Time to load a checkpoint from a slow disk, and for whoever stands before us at the WebUI."""
DEADLINE_S_PER_MEGAPIXEL_STEP = 6.0
UPSCALE_PASSES = 20
"""What enlarging one picture costs at most, in sampling steps of its result."""


def webui_step(
    job_id: str,
    number: int,
    stage: WebuiStage,
    before: Sequence[AnyStep],
    prepared: Sequence[PreparedMedia],
) -> WebuiStep:
    """The step of stage `number`: it starts from the pictures of the step before, else from the
    prepared ones.

    Raises BindingFailed when there are other pictures than the stage can start from.
    """
    index = len(before)
    given: tuple[StoredFile, ...] = ()
    from_step: int | None = None
    count = 0
    if not isinstance(stage, Txt2ImgStage):
        if before:
            earlier = before[-1]
            if not isinstance(earlier, WebuiStep):
                raise BindingFailed(f"stage {number} cannot go on from a video")
            from_step, count = earlier.index, earlier.expected_pictures
        else:
            role: Role = "ground_truth" if isinstance(stage, Img2ImgStage) else "still"
            given = _pictures(prepared, role)
            count = len(given)
        if not count or (count > 1 and not isinstance(stage, UpscaleStage)):
            raise BindingFailed(f"stage {number} ({stage.kind}) is given {count} pictures")
    expected = _expected(stage, count)
    return WebuiStep(
        index=index,
        stage=number,
        lane=WEBUI_LANES[stage.backend if isinstance(stage, VideoFramesStage) else stage.kind],
        config=stage,
        pictures=given,
        from_step=from_step,
        output_key_prefix=f"jobs/{job_id}/steps/{index}",
        expected_pictures=expected,
        deadline_s=webui_deadline(stage, expected),
    )


def render_order(
    plan: JobPlan,
    job_id: str,
    steps: Sequence[AnyStep],
    prepared: Sequence[PreparedMedia],
    output_key: str,
) -> RenderOrder | None:
    """What video_render makes of what; None for a plan without it.

    Raises BindingFailed when there is nothing to render.
    """
    stage = plan.stages[-1]
    if not isinstance(stage, VideoRenderStage):
        return None
    frames_key_prefix = keys.kept_frames(job_id)
    if any(isinstance(s, ComfyWorkflowStage) for s in plan.stages):
        return RenderOrder(
            config=stage,
            source="clip",
            frames_key_prefix=frames_key_prefix,
            output_key=output_key,
        )
    pictures = () if steps else _pictures(prepared, "still")
    if not steps and not pictures:
        raise BindingFailed("there is nothing to render")
    framed = any(isinstance(s, VideoFramesStage) for s in plan.stages)
    return RenderOrder(
        config=stage,
        source="frames" if framed else "stills",
        pictures=pictures,
        from_step=steps[-1].index if steps else None,
        frames_key_prefix=frames_key_prefix,
        output_key=output_key,
    )


def webui_deadline(stage: WebuiStage, pictures: int) -> int:
    """Seconds a step may run: time to load, and time for every megapixel of every pass.

    Guidance above 1 runs the model twice for each sampling step.
    """
    if isinstance(stage, Sampling):
        passes = stage.steps * (2 if stage.cfg > 1 else 1)
    else:
        passes = UPSCALE_PASSES
    megapixels = stage.width_px * stage.height_px * pictures / 1e6
    return DEADLINE_BASE_S + math.ceil(DEADLINE_S_PER_MEGAPIXEL_STEP * megapixels * passes)


def _expected(stage: WebuiStage, given: int) -> int:
    if isinstance(stage, VideoFramesStage):
        return stage.num_frames
    return given if isinstance(stage, UpscaleStage) else stage.count


def _pictures(prepared: Sequence[PreparedMedia], role: Role) -> tuple[StoredFile, ...]:
    found = sorted((p for p in prepared if p.role == role), key=lambda p: p.index)
    return tuple(p.file for p in found)
