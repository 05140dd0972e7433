"""The sheet on which a request for a workflow's mode is planned.

Owns the checks that every such mode shares: prompts, size, length, wires, engines. Must not know a
mode.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import ErrorCode
from contracts.plan import AspectRatio
from planning.matching import Match, match
from planning.profiles import switches_of, wired_settings
from planning.sheet import Sheet
from planning.sizes import size_of
from planning.workflow import Profile, WorkflowVersion

MIN_SOURCE_S = 0.5
"""Shorter motion videos and sounds are refused."""

SOFT_GUIDANCE = "soft guidance"


@dataclass(slots=True, kw_only=True)
class Worksheet(Sheet):
    """One request for a workflow's mode."""

    version: WorkflowVersion

    @property
    def profile(self) -> Profile:
        """What the asked quality profile means for the workflow."""
        return self.version.manifest.profiles[self.request.quality_profile]

    def check_prompts(self) -> None:
        """A prompt must be there; a negative one only where it has a wire; both within limits."""
        limit = self.limits.max_prompt_characters
        if not self.request.prompt.strip():
            self.refuse(ErrorCode.PROMPT_MISSING, "prompt")
        for at in ("prompt", "negative_prompt"):
            if len(getattr(self.request, at) or "") > limit:
                remedy = f"Shorten it to {limit:,} characters or less."
                self.refuse(ErrorCode.PROMPT_TOO_LONG, at, remedy=remedy)
        if (self.request.negative_prompt or "").strip() and not self.profile.guided:
            self.refuse(ErrorCode.NEGATIVE_PROMPT_UNUSED, "negative_prompt")

    def check_size(self) -> tuple[AspectRatio, int, int] | None:
        """The aspect ratio with width and height in pixels."""
        found = size_of(self.profile, self.request.aspect_ratio, self.limits.size_override_px)
        if found is None:
            offered = ", ".join(self.profile.sizes)
            self.refuse(
                ErrorCode.ASPECT_RATIO_UNSUPPORTED, "aspect_ratio", remedy=f"Choose {offered}."
            )
        return found

    def longest_frames(self) -> int:
        """The most frames the video may have: the workflow's, or those of the asked segments.

        An extension that the workflow does not offer is a fault.
        """
        rule = self.version.manifest.frames
        asked = self.request.extension_segments
        if asked is None:
            return rule.frames_max
        if asked >= rule.segments_max:
            self.refuse(
                ErrorCode.SETTING_UNAVAILABLE,
                "extension_segments",
                sentence=f"This mode makes videos of at most {rule.segments_max} "
                f"segment{'s' if rule.segments_max > 1 else ''}.",
                remedy=f"Set it to at most {rule.segments_max - 1}; "
                f"the longest video lasts {rule.duration_max_s:.1f} s.",
            )
        return rule.frames_of(1 + asked)

    def check_wire(self, setting: str) -> None:
        """A setting that was given must change something in this mode and profile."""
        if getattr(self.request, setting) is None:
            return
        if setting not in wired_settings(self.version, self.profile):
            self.refuse(
                ErrorCode.SETTING_UNAVAILABLE,
                setting,
                sentence="This setting changes nothing in this mode and quality profile.",
                remedy="Leave it out, or choose another mode or quality profile.",
            )

    def check_engines(self, **asked: bool) -> Match:
        """Something that every known engine lacks is a fault; one that is away is a note."""
        found = match(
            self.version,
            self.profile,
            switches_of(self.version, self.profile, **asked),
            self.engines,
        )
        if found.refused:
            self._refuse_engines(found)
        elif found.away:
            self.notes.append(
                "The generator that can make this is not reachable now; the job waits for it."
            )
        elif not found.capable:
            self.notes.append("No generator has reported yet; the job waits until one can run it.")
        elif all(e.simulated for e in found.capable):
            self.notes.append("A simulated generator will make this video.")
        return found

    def _refuse_engines(self, found: Match) -> None:
        detail = "missing: " + ", ".join(found.missing)
        manifest = self.version.manifest
        others = [
            name
            for name, profile in manifest.profiles.items()
            if not match(
                self.version, profile, switches_of(self.version, profile), self.engines
            ).refused
        ]
        if others:
            remedy = f"Choose the quality profile {' or '.join(others)}."
            self.refuse(
                ErrorCode.PROFILE_UNAVAILABLE, "quality_profile", remedy=remedy, detail=detail
            )
        else:
            sentence = f"{manifest.title} is not available here."
            self.refuse(ErrorCode.MODE_UNAVAILABLE, "mode", sentence=sentence, detail=detail)
