"""What a mode does not offer although its name may promise it, said plainly.

Shown with the capabilities and in the refusal. Must not know engines.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.plan import Mode


class NotOffered(NamedTuple):
    """Something that is not made here: the field that would ask for it, and what to do instead."""

    field: str
    sentence: str
    remedy: str


NOT_OFFERED: dict[Mode, dict[str, NotOffered]] = {
    "pose_control": {
        "trajectory": NotOffered(
            "control_kind",
            "Control by a drawn trajectory is not offered.",
            "Choose pose, canny or depth, and attach a control video.",
        )
    }
}
"""By mode and submode."""
