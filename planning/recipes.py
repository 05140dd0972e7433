"""The media orders of a plan: what ingest is to make of each asset.

Must not open media; sizes in pixels, times in seconds.
"""

from __future__ import annotations

from contracts.media import AudioRecipe, CropBox, ImageRecipe, MediaOrder, Role, VideoRecipe
from contracts.plan import Frame
from planning.assets import KnownAsset

SOUND_RATE_HZ = 48_000
SOUND_CHANNELS = 2


def image_order(
    asset: KnownAsset, role: Role, frame: Frame, crop: CropBox | None = None, *, index: int = 0
) -> MediaOrder:
    """The picture, cropped if asked, covering the frame."""
    return MediaOrder(
        role=role,
        index=index,
        asset_id=asset.asset_id,
        asset_sha256=asset.sha256,
        recipe=ImageRecipe(width_px=frame.width_px, height_px=frame.height_px, crop=crop),
    )


def video_order(asset: KnownAsset, role: Role, frame: Frame, *, has_audio: bool) -> MediaOrder:
    """The video from its start with exactly the frame's size, rate and number of frames."""
    return MediaOrder(
        role=role,
        asset_id=asset.asset_id,
        asset_sha256=asset.sha256,
        recipe=VideoRecipe(
            width_px=frame.width_px,
            height_px=frame.height_px,
            fps=frame.fps,
            frames=frame.frames,
            keep_audio=has_audio,
        ),
    )


def sound_order(asset: KnownAsset, role: Role, frame: Frame) -> MediaOrder:
    """The sound of an audio file or a video, exactly as long as the delivered video."""
    return MediaOrder(
        role=role,
        asset_id=asset.asset_id,
        asset_sha256=asset.sha256,
        recipe=AudioRecipe(
            sample_rate_hz=SOUND_RATE_HZ, channels=SOUND_CHANNELS, duration_s=frame.duration_s
        ),
    )
