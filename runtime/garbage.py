"""When Python looks for garbage that refers to itself.

What a process has loaded stays until it ends; looked through again and again, it was up to a fifth
of a busy service's processor time, with pauses of some 40 ms. Must not free anything itself.
"""

from __future__ import annotations

import gc

NEW_OBJECTS = 10_000
"""Made and not freed since the last look; Python's own 700 are gone in one request."""
YOUNG_LOOKS = 20
MIDDLE_LOOKS = 20
"""After how many looks at the younger objects the next older ones are looked at too."""


def settle() -> None:
    """Everything that is there now is kept out of all later looks, and those come seldom."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNG_LOOKS, MIDDLE_LOOKS)
