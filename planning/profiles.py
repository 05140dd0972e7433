"""Quality profiles: which settings have a wire in them, and which switches they set.

The values themselves stand in each workflow's manifest. Must not know engines.
"""

from __future__ import annotations

from planning.workflow import Profile, WorkflowVersion

GUIDED_ONLY = frozenset({"negative_prompt", "audio_adherence_profile"})
"""Settings that act through guidance: at a guidance scale of 1 they change nothing."""


def wired_settings(version: WorkflowVersion, profile: Profile) -> tuple[str, ...]:
    """The settings that change something with this workflow and profile."""
    return tuple(s for s in version.manifest.settings if profile.guided or s not in GUIDED_ONLY)


def switches_of(version: WorkflowVersion, profile: Profile, **asked: bool) -> dict[str, bool]:
    """Every switch of the workflow: as asked, else as the profile says, else off."""
    return {
        name: asked.get(name, profile.switches.get(name, False))
        for name in version.bindings.switches
    }
