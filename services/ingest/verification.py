"""Whether a derivative is what its recipe orders. Pure."""

from __future__ import annotations

from contracts.media import (
    AudioFacts,
    AudioRecipe,
    ImageFacts,
    ImageRecipe,
    MediaFacts,
    VideoFacts,
    VideoRecipe,
)
from services.ingest.normalising import audio_samples

Recipe = ImageRecipe | VideoRecipe | AudioRecipe


def difference(recipe: Recipe, facts: MediaFacts, *, source_has_audio: bool) -> str | None:
    """What is wrong with the derivative, in words for operators, or None when it is exact."""
    match recipe, facts:
        case ImageRecipe(), ImageFacts():
            wanted: tuple[object, ...] = (recipe.width_px, recipe.height_px)
            found: tuple[object, ...] = (facts.width_px, facts.height_px)
        case VideoRecipe(), VideoFacts():
            sound = recipe.keep_audio and source_has_audio
            wanted = (recipe.width_px, recipe.height_px, recipe.fps, 1, recipe.frames, sound)
            found = (
                facts.width_px,
                facts.height_px,
                facts.fps_num,
                facts.fps_den,
                facts.frames,
                facts.has_audio,
            )
            if recipe.frames == 1:
                # One frame has no rate to measure.
                wanted, found = (*wanted[:2], *wanted[4:]), (*found[:2], *found[4:])
        case AudioRecipe(), AudioFacts():
            wanted = (recipe.sample_rate_hz, recipe.channels, audio_samples(recipe))
            found = (
                facts.sample_rate_hz,
                facts.channels,
                round(facts.duration_s * facts.sample_rate_hz),
            )
        case _:
            return f"a {facts.kind} came of a recipe for {recipe.kind}"
    return None if wanted == found else f"{recipe.kind}: ordered {wanted}, made {found}"
