"""What a probe of a WebUI found, as the contract that everybody reads.

Pure. Owns the translation, and what a step needs of such an engine. It decides no lane.
"""

from __future__ import annotations

from datetime import datetime

from contracts.base import StoredFile
from contracts.engines import (
    AnimateDiffCapability,
    DeforumCapability,
    EngineSnapshot,
    WebuiCapabilities,
)
from contracts.stages import UpscaleStage, VideoFramesStage, WebuiStage
from engines.webui import CapabilitySnapshot, animatediff_ready, deforum_ready, stills_ready


def capabilities_of(probed: CapabilitySnapshot) -> WebuiCapabilities:
    """What the engine can do, with what is missing in plain sentences."""
    return WebuiCapabilities(
        flavour=probed.flavour,
        missing=stills_ready(probed).missing,
        checkpoint=probed.checkpoint,
        checkpoints=probed.checkpoints,
        samplers=probed.samplers,
        upscalers=probed.upscalers,
        samples_format=probed.samples_format,
        animatediff=AnimateDiffCapability(
            missing=animatediff_ready(probed).missing,
            motion_models=probed.motion_models,
            txt2img_keys=tuple(sorted(probed.argument_keys("txt2img"))),
            img2img_keys=tuple(sorted(probed.argument_keys("img2img"))),
        ),
        deforum=DeforumCapability(missing=deforum_ready(probed).missing, transfer=probed.transfer),
    )


def seen(
    engine_id: str,
    probed: CapabilitySnapshot,
    *,
    simulated: bool,
    catalogue: StoredFile | None,
    at: datetime,
) -> EngineSnapshot:
    """The snapshot of a WebUI that answered, without lanes."""
    return EngineSnapshot(
        engine_id=engine_id,
        kind="webui",
        simulated=simulated,
        version=probed.version or "unknown",
        health="ready",
        seen_at=at,
        catalogue=catalogue,
        webui=capabilities_of(probed),
    )


def lacking(config: WebuiStage, there: WebuiCapabilities) -> tuple[str, ...]:
    """What the stage needs and the engine has not, in plain sentences.

    A checkpoint is not among it: selecting it tells.
    """
    missing = list(there.missing)
    if isinstance(config, UpscaleStage) and config.upscaler not in there.upscalers:
        missing.append(f"The upscaler {config.upscaler!r} is not installed.")
    if isinstance(config, VideoFramesStage):
        missing += _lacking_for_frames(config, there)
    return tuple(dict.fromkeys(missing))


def _lacking_for_frames(config: VideoFramesStage, there: WebuiCapabilities) -> list[str]:
    if config.backend == "webui_deforum":
        return list(there.deforum.missing)
    params, extension = config.backend_params.animatediff, there.animatediff
    missing = list(extension.missing)
    if params is not None and params.motion_model not in extension.motion_models:
        missing.append(f"The motion model {params.motion_model!r} is not installed.")
    return missing
