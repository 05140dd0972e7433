"""Every lane there is: those of all released workflow versions, and those of WebUI's stages.

Must not know which engines exist.
"""

from __future__ import annotations

from contracts.subjects import WEBUI_LANES
from planning.registry import WorkflowRegistry, load_workflows


def all_lanes(workflows: WorkflowRegistry | None = None) -> tuple[str, ...]:
    """The lanes that steps may be sent on, in order; the provisioner makes one durable for each."""
    registry = workflows or load_workflows()
    return tuple(
        sorted(
            {
                version.lane(profile.precision)
                for version in registry.versions
                for profile in version.manifest.profiles.values()
            }
            | set(WEBUI_LANES.values())
        )
    )
