"""The text of a stage chain: typed, or a prompt pack's, never both; and prompts that travel.

A prompt whose lines begin with a frame number ("8: snow falls") changes on the way: the lines
before the first are common to all, as are those after the last. Must not know engines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.errors import ErrorCode
from contracts.plan import Origin
from planning.prompt_packs import PromptPack
from planning.prompts import SoftGuidance, resolve_negative, resolve_prompt, said_of
from planning.requests import MotionClipRequest
from planning.sheet import Sheet

_KEYED = re.compile(r"^\s*(\d+)\s*:(.*)$")
DEFORUM_MARKS = ("`", "--neg")
"""Deforum evaluates what stands between backticks, and splits its prompts at the other."""


@dataclass(frozen=True, slots=True)
class ChainText:
    """The prompts of a chain. `prompt` is as written, `resolved` with what was added."""

    prompt: str
    resolved: str
    negative: str
    origin: Origin
    negative_origin: Origin


@dataclass(frozen=True, slots=True)
class Travel:
    """A prompt by frame number, in the order of its lines."""

    prompts: tuple[tuple[int, str], ...]

    @property
    def first(self) -> str:
        """What stands at the beginning: the text of the picture that frames start from."""
        return self.prompts[0][1]


def travel_of(prompt: str) -> Travel | None:
    """The prompt by frame number, or None when no line begins with one."""
    lines = prompt.splitlines()
    keyed = [at for at, line in enumerate(lines) if _KEYED.match(line)]
    if not keyed:
        return None
    before, after = lines[: keyed[0]], lines[keyed[-1] + 1 :]
    found: list[tuple[int, str]] = []
    for line in lines[keyed[0] : keyed[-1] + 1]:
        match = _KEYED.match(line)
        if match:
            parts = [*before, match[2], *after]
            found.append((int(match[1]), ", ".join(p.strip(" ,") for p in parts if p.strip(" ,"))))
    return Travel(tuple(found))


def chain_text(
    sheet: Sheet, request: MotionClipRequest, pack: PromptPack | None, *, drawn: bool, guided: bool
) -> ChainText:
    """The prompts of the chain; faults go on the sheet.

    `drawn`: some stage draws from the prompt. `guided`: a negative prompt has a wire.
    """
    if pack is not None:
        return _packed(sheet, request, pack, guided=guided)
    _check_typed(sheet, request, drawn=drawn, guided=guided)
    guidance = SoftGuidance(
        references=len(request.reference_asset_ids),
        pose_sheets=len(request.pose_sheet_asset_ids),
        key_pose_hints=sheet.key_pose_hints,
        keywords=request.keywords,
    )
    if travel_of(request.prompt) is not None:
        resolved = "\n".join(filter(None, (request.prompt.strip(), said_of(guidance))))
    else:
        resolved = resolve_prompt(request.prompt, guidance=guidance)
    return ChainText(
        prompt=request.prompt,
        resolved=resolved,
        negative=resolve_negative(request.negative_prompt, guided=guided and drawn),
        origin="request",
        negative_origin="request" if (request.negative_prompt or "").strip() else "default",
    )


def check_travel(sheet: Sheet, prompt: str, frames: int, backend: str, negative: str) -> None:
    """Refuse prompts that make a backend fail: an empty or late beginning, a frame that does not
    exist (the clip then stands still, and the engine is left broken), Deforum's own marks."""
    travel = travel_of(prompt)
    if backend == "webui_deforum" and any(m in prompt + negative for m in DEFORUM_MARKS):
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            "prompt",
            sentence="Deforum reads backticks and '--neg' in a prompt as commands.",
            remedy="Write the prompt without them; use the negative prompt.",
        )
    if travel is None:
        return
    numbers = [number for number, _ in travel.prompts]
    if numbers[0] != 0 or numbers != sorted(set(numbers)):
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            "prompt",
            sentence="A prompt by frame numbers begins at 0 and rises from line to line.",
            remedy="Begin with a line such as '0: a lake', and put the others in order.",
        )
    if max(numbers) >= frames:
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            "prompt",
            sentence=f"The prompt changes at frame {max(numbers)}, and there are {frames} frames.",
            remedy=f"Use frame numbers up to {frames - 1}, or ask for more frames.",
        )
    if not all(text for _, text in travel.prompts):
        sheet.refuse(
            ErrorCode.PROMPT_MISSING, "prompt", sentence="One of the prompt's lines is empty."
        )


def _check_typed(sheet: Sheet, request: MotionClipRequest, *, drawn: bool, guided: bool) -> None:
    if drawn and not request.prompt.strip():
        sheet.refuse(ErrorCode.PROMPT_MISSING, "prompt")
    limit = sheet.limits.max_prompt_characters
    for at in ("prompt", "negative_prompt"):
        if len(getattr(request, at) or "") > limit:
            remedy = f"Shorten it to {limit:,} characters or less."
            sheet.refuse(ErrorCode.PROMPT_TOO_LONG, at, remedy=remedy)
    if not drawn and request.prompt.strip():
        sheet.notes.append("No stage draws from the prompt; it is kept with the job.")
    if (request.negative_prompt or "").strip() and not (drawn and guided):
        sheet.refuse(
            ErrorCode.NEGATIVE_PROMPT_UNUSED,
            "negative_prompt",
            sentence="A negative prompt has no effect in this chain.",
            remedy="Remove it, or let a stage draw with a cfg above 1.",
        )


def _packed(
    sheet: Sheet, request: MotionClipRequest, pack: PromptPack, *, guided: bool
) -> ChainText:
    typed = [name for name in ("prompt", "negative_prompt") if getattr(request, name)]
    if typed:
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            "prompt_pack",
            sentence="A prompt pack and a typed prompt are given; they are never merged.",
            remedy=f"Remove the pack, or remove {' and '.join(typed)}.",
        )
    guidance = ("reference_asset_ids", "pose_sheet_asset_ids", "key_pose_hints", "keywords")
    added = [name for name in guidance if getattr(request, name)]
    if added:
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            added[0],
            sentence="A prompt pack is used as it is; nothing is added to its prompt.",
            remedy=f"Remove {', '.join(added)}, or type a prompt of your own.",
        )
    return ChainText(
        prompt=pack.content.prompt,
        resolved=pack.content.prompt.strip(),
        negative=pack.content.negative_prompt.strip() if guided else "",
        origin="pack",
        negative_origin="pack",
    )
