"""Which stages a request means: as it says, or as its prompt pack does; and what is offered instead
of a chain that cannot run.

Must not judge a chain or resolve its values.
"""

from __future__ import annotations

from collections.abc import Sequence

from planning.chain_profiles import FRAMES_FPS, NUM_FRAMES
from planning.chain_requests import (
    MAX_SECONDS_PER_STILL,
    SamplingChoice,
    StageChoice,
    Txt2ImgChoice,
    VideoFramesChoice,
    VideoRenderChoice,
)
from planning.prompt_packs import PackRegistry, PromptPack
from planning.requests import MotionClipRequest

FALLBACK_SENTENCE = (
    "Without the extension, the same picture can be shown as long with a slow zoom. "
    "Nothing is made until you send this request."
)


def chain_of(request: MotionClipRequest, pack: PromptPack | None) -> tuple[StageChoice, ...]:
    """The stages as asked for; without any those of the pack, else the rendering of the stills."""
    stages: list[StageChoice] = list(request.stages or ())
    if request.stages is None:
        video = pack.content.video if pack is not None and pack.content.video.enabled else None
        if video is not None and not request.still_asset_ids:
            stages.append(Txt2ImgChoice())
        if video is not None and video.frames.enabled:
            stages.append(VideoFramesChoice())
        renders = video.render.enabled if video is not None else bool(request.still_asset_ids)
        if renders and request.render is None:
            stages.append(VideoRenderChoice())
    if request.render is not None:
        said = request.render.model_dump(exclude_unset=True)
        stages.append(VideoRenderChoice.model_validate(said))
    return tuple(stages)


def draws(asked: Sequence[StageChoice]) -> list[SamplingChoice]:
    """The stages that draw from the prompt."""
    return [stage for stage in asked if isinstance(stage, SamplingChoice)]


def without_frames(request: MotionClipRequest, packs: PackRegistry) -> MotionClipRequest | None:
    """The request with its video_frames left out: the still, shown as long as the frames would
    have been, with a slow zoom. None when it asks for no frames."""
    try:
        pack = packs.named(request.prompt_pack) if request.prompt_pack else None
    except KeyError:
        return None
    asked = chain_of(request, pack)
    frames = next((s for s in asked if isinstance(s, VideoFramesChoice)), None)
    if frames is None or not isinstance(asked[-1], VideoRenderChoice):
        return None
    packed = pack.content.video.frames if pack is not None else None
    count = frames.num_frames or (packed.num_frames if packed else None) or NUM_FRAMES
    fps = frames.fps or (packed.fps if packed else None) or FRAMES_FPS
    seconds = min(MAX_SECONDS_PER_STILL, max(0.1, round(count / fps, 3)))
    render = asked[-1].model_copy(update={"seconds_per_still": seconds, "camera_motion": "zoom"})
    stages = (*(s for s in asked[:-1] if s is not frames), render)
    said = request.model_dump(exclude_unset=True, exclude={"render", "stages"})
    chain = [stage.model_dump(exclude_unset=True) | {"kind": stage.kind} for stage in stages]
    return MotionClipRequest.model_validate({**said, "stages": chain})
