"""Prompts: what is added to them, always visibly and always the same.

The plan shows the resolved prompt, so that nobody is surprised. Must not know engines.
"""

from __future__ import annotations

from dataclasses import dataclass

from planning.requests import FramingMode

_FRAMING: dict[FramingMode, str] = {
    "portrait": "Portrait framing, head and shoulders.",
    "half_body": "Half-body framing, from the waist up.",
    "full_body": "Full-body framing, from head to feet.",
}

DEFAULT_NEGATIVE_PROMPT = (
    "frozen picture, overexposed, washed-out colours, blurred details, compression artefacts, "
    "subtitles, watermark, deformed face, deformed hands, extra fingers, extra limbs"
)
"""Used where a profile has a wire for a negative prompt and none was given."""


_REFERENCES = "Keep the character's face, hair and clothing the same throughout."


@dataclass(frozen=True, slots=True)
class SoftGuidance:
    """What a request gives beside its prompt that can only be said in words (SRS §9.3)."""

    references: int = 0
    pose_sheets: int = 0
    key_pose_hints: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


NO_GUIDANCE = SoftGuidance()


def resolve_prompt(
    prompt: str, framing: FramingMode | None = None, guidance: SoftGuidance = NO_GUIDANCE
) -> str:
    """The prompt that is sent: trimmed, then what else was given, each said in one sentence.

    In order: framing, references, poses (the hints where there are any, else their number),
    keywords.
    """
    said = [_sentence(prompt)] if _added(framing, guidance) else [prompt.strip()]
    return " ".join([*said, *_added(framing, guidance)])


def said_of(guidance: SoftGuidance) -> str:
    """What is added to a prompt for the guidance; empty when nothing is."""
    return " ".join(_added(None, guidance))


def _added(framing: FramingMode | None, guidance: SoftGuidance) -> list[str]:
    added = [_FRAMING[framing]] if framing is not None else []
    if guidance.references:
        added.append(_REFERENCES)
    hints = [hint.strip().rstrip(".") for hint in guidance.key_pose_hints if hint.strip()]
    if hints:
        added.append(f"Key poses in order: {'; '.join(hints)}.")
    elif guidance.pose_sheets > 1:
        added.append(f"The character moves through {guidance.pose_sheets} distinct poses in turn.")
    elif guidance.pose_sheets:
        added.append("The character takes a clear, distinct pose.")
    keywords = [word.strip() for word in guidance.keywords if word.strip()]
    if keywords:
        added.append(f"Keywords: {', '.join(keywords)}.")
    return added


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def resolve_negative(negative_prompt: str | None, *, guided: bool) -> str:
    """The negative prompt that is sent: the user's, else the default; none where it has no wire."""
    if not guided:
        return ""
    return (negative_prompt or "").strip() or DEFAULT_NEGATIVE_PROMPT
