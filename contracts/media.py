"""Media as contracts: what a file is (facts) and what is to be made of it (recipes).

Must not open a file. Sizes are pixels, times seconds, rates Hz or frames per second.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract, Sha256, StoredFile, Uuid, canonical_bytes, sha256_hex

MediaKind = Literal["image", "video", "audio"]
Role = Literal[
    "ground_truth",
    "reference",
    "pose_sheet",
    "motion_video",
    "audio",
    "soundtrack",
    "start_frame",
    "end_frame",
    "control_video",
    "still",
]
"""What an asset is for in a job. `soundtrack` is the sound laid under the delivered video."""


class ImageFacts(Contract):
    """What a decoded image was seen to be, after its EXIF rotation."""

    kind: Literal["image"] = "image"
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    format: str


class VideoFacts(Contract):
    """What a fully decoded video was seen to be, after its rotation."""

    kind: Literal["video"] = "video"
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    fps_num: int = Field(gt=0)
    fps_den: int = Field(gt=0)
    frames: int = Field(gt=0)
    duration_s: float = Field(gt=0)
    codec: str
    container: str
    has_audio: bool


class AudioFacts(Contract):
    """What a decoded sound was seen to be."""

    kind: Literal["audio"] = "audio"
    sample_rate_hz: int = Field(gt=0)
    channels: int = Field(gt=0)
    duration_s: float = Field(gt=0)
    codec: str
    container: str


MediaFacts = Annotated[ImageFacts | VideoFacts | AudioFacts, Field(discriminator="kind")]


class CropBox(Contract):
    """A rectangle of the upright source picture, in its pixels."""

    x_px: int = Field(ge=0)
    y_px: int = Field(ge=0)
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)


class KeyPose(Contract):
    """A pose of a sheet in an operator's words, and which frame of the picture shows it.

    Soft guidance: the words are said in the prompt; the frame shows people what is meant.
    """

    hint: str = Field(min_length=1, max_length=120)
    frame: CropBox | None = None


class ImageRecipe(Contract):
    """Upright, cropped, scaled to cover the size, metadata removed; a PNG."""

    kind: Literal["image"] = "image"
    recipe_version: Literal[1] = 1
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    crop: CropBox | None = None


class VideoRecipe(Contract):
    """Upright, covering the size, constant rate, exactly `frames` frames from `start_s`; an mp4."""

    kind: Literal["video"] = "video"
    recipe_version: Literal[1] = 1
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    fps: int = Field(gt=0)
    frames: int = Field(gt=0)
    start_s: float = Field(default=0.0, ge=0)
    keep_audio: bool = True


class AudioRecipe(Contract):
    """Resampled, cut or padded with silence to exactly `duration_s`; a FLAC."""

    kind: Literal["audio"] = "audio"
    recipe_version: Literal[1] = 1
    sample_rate_hz: int = Field(gt=0)
    channels: int = Field(gt=0, le=2)
    duration_s: float = Field(gt=0)
    start_s: float = Field(default=0.0, ge=0)


Recipe = Annotated[ImageRecipe | VideoRecipe | AudioRecipe, Field(discriminator="kind")]


def recipe_id(recipe: ImageRecipe | VideoRecipe | AudioRecipe) -> str:
    """Sixteen hex digits that name a recipe; equal recipes have equal names."""
    return sha256_hex(canonical_bytes(recipe))[:16]


class MediaOrder(Contract):
    """One derivative that ingest is to make: this asset, by this recipe, for this role."""

    role: Role
    index: int = Field(default=0, ge=0)
    asset_id: Uuid
    asset_sha256: Sha256
    recipe: Recipe


class PreparedMedia(Contract):
    """One derivative as it lies in the media store."""

    role: Role
    index: int = Field(default=0, ge=0)
    asset_id: Uuid
    asset_sha256: Sha256
    recipe_id: str
    file: StoredFile
    facts: MediaFacts
    reused: bool = False
