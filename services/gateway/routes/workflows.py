"""For operators: workflow versions, whether engines can run them, which are active, and models.

Changing what is active is services.gateway.activating's; this speaks HTTP only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from contracts.engines import EngineSnapshot, Health
from contracts.errors import ErrorCode
from contracts.plan import Mode, QualityProfile
from planning.diffing import diff
from planning.models import NeededModel, NeededPackage, absent_classes, lacking, needed, packages
from planning.needs import shortfalls
from planning.profiles import switches_of
from planning.workflow import CustomNodes, ModelFile, Profile, RequiredAsset, WorkflowVersion
from services.gateway.activating import Wish
from services.gateway.adapters.db.activations import Activation
from services.gateway.deps import Needs, Who
from services.gateway.problems import refused, responses

router = APIRouter(prefix="/api/admin", tags=["admin"])
_C = ErrorCode


class EngineFit(BaseModel):
    """What an engine lacks for a profile; empty when it can run it. An engine that was never
    examined is left out."""

    engine_id: str
    health: Health
    missing: list[str]


class ProfileFit(BaseModel):
    """A profile of a version: whether a known engine can run it, and each engine's verdict."""

    profile: QualityProfile
    lane: str
    runs: bool
    engines: list[EngineFit]


class WorkflowView(BaseModel):
    """A released workflow version with the metadata of SRS §20; `active` takes new jobs.

    `activated_by` and `activated_at` stand where an operator chose it.
    """

    workflow_name: str
    workflow_version: str
    title: str
    active: bool
    activated_by: str | None
    activated_at: datetime | None
    mode: str
    submode: str | None
    model_family: str
    compatible_backend_version: str
    sha256: str
    lanes: list[str]
    required_assets: list[RequiredAsset]
    required_models: list[ModelFile]
    custom_nodes: list[CustomNodes]
    profiles: list[ProfileFit]


class WhatToActivate(BaseModel):
    """A released version. `force` activates it against the live check, which is recorded."""

    model_config = ConfigDict(extra="forbid")

    workflow_name: str = Field(max_length=64)
    workflow_version: str = Field(max_length=32)
    force: bool = False
    note: str | None = Field(default=None, max_length=500)


class WhatToRollBack(BaseModel):
    """A workflow whose mode returns to the version before."""

    model_config = ConfigDict(extra="forbid")

    workflow_name: str = Field(max_length=64)
    note: str | None = Field(default=None, max_length=500)


class ActivationView(BaseModel):
    """A decision about which version makes a mode. `missing` is what the live check found then."""

    mode: Mode
    submode: str | None
    revision: int
    action: Literal["activate", "rollback"]
    workflow_name: str
    workflow_version: str
    previous_name: str
    previous_version: str
    by: str
    at: datetime
    forced: bool
    missing: list[str]
    note: str | None


class Difference(BaseModel):
    """How two versions differ, as the lines of a unified diff."""

    lines: list[str]


class ModelView(BaseModel):
    """A model file that workflows need. `lacking` names the examined engines without it."""

    model: NeededModel
    lacking: list[str]


class PackageView(BaseModel):
    """A package of custom nodes, and the classes of it that each examined engine does not have."""

    package: NeededPackage
    absent: dict[str, list[str]]


class Models(BaseModel):
    """Everything that engines must hold, and which examined engines lack it."""

    engines: list[str]
    models: list[ModelView]
    packages: list[PackageView]


@router.get("/workflows", responses=responses(_C.UNAVAILABLE))
async def workflows(deps: Needs) -> list[WorkflowView]:
    """Every released workflow version, with the live check of every profile on every engine."""
    registry = await deps.workflows.current()
    chosen = {(a.workflow_name, a.workflow_version): a for a in await deps.workflows.standing()}
    active = {version.ref for version in registry.active}
    engines = [e for e in await deps.engines.all() if e.kind == "comfyui" and e.node_classes]
    return [
        _view(v, v.ref in active, chosen.get((v.ref.name, v.ref.version)), engines)
        for v in registry.versions
    ]


def _view(
    version: WorkflowVersion,
    active: bool,
    chosen: Activation | None,
    engines: Sequence[EngineSnapshot],
) -> WorkflowView:
    manifest = version.manifest
    return WorkflowView(
        workflow_name=manifest.workflow_name,
        workflow_version=manifest.workflow_version,
        title=manifest.title,
        active=active,
        activated_by=chosen.made_by if chosen and active else None,
        activated_at=chosen.made_at if chosen and active else None,
        mode=manifest.mode,
        submode=manifest.submode,
        model_family=manifest.model_family,
        compatible_backend_version=manifest.compatible_backend_version,
        sha256=version.ref.sha256,
        lanes=sorted({version.lane(p.precision) for p in manifest.profiles.values()}),
        required_assets=list(manifest.required_assets),
        required_models=list(manifest.required_models),
        custom_nodes=list(manifest.custom_nodes),
        profiles=[_fit(version, n, p, engines) for n, p in manifest.profiles.items()],
    )


def _fit(
    version: WorkflowVersion,
    name: QualityProfile,
    profile: Profile,
    engines: Sequence[EngineSnapshot],
) -> ProfileFit:
    usual = switches_of(version, profile)
    verdicts = [
        EngineFit(
            engine_id=e.engine_id,
            health=e.health,
            missing=list(shortfalls(version, profile, usual, e)),
        )
        for e in engines
    ]
    return ProfileFit(
        profile=name,
        lane=version.lane(profile.precision),
        runs=any(not verdict.missing for verdict in verdicts),
        engines=verdicts,
    )


@router.post(
    "/workflows/activate",
    responses=responses(_C.BODY_INVALID, _C.NOT_FOUND, _C.WORKFLOW_UNFIT, _C.UNAVAILABLE),
)
async def activate(deps: Needs, caller: Who, body: WhatToActivate) -> ActivationView:
    """Let new jobs use a version, on every replica within two seconds; running jobs keep theirs.

    Refused when no known engine can run it, or when a profile would be lost.
    """
    wish = Wish(caller.owner, body.force, body.note)
    made = await deps.workflows.activate(
        body.workflow_name, body.workflow_version, wish, await deps.engines.all()
    )
    return _activation(made)


@router.post(
    "/workflows/rollback",
    responses=responses(_C.BODY_INVALID, _C.NOT_FOUND, _C.ROLLBACK_IMPOSSIBLE, _C.UNAVAILABLE),
)
async def rollback(deps: Needs, caller: Who, body: WhatToRollBack) -> ActivationView:
    """Undo the last activation that was not undone yet; repeated, it goes back further."""
    wish = Wish(caller.owner, note=body.note)
    made = await deps.workflows.rollback(body.workflow_name, wish, await deps.engines.all())
    return _activation(made)


@router.get("/workflows/activations", responses=responses(_C.BODY_INVALID))
async def activations(
    deps: Needs, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[ActivationView]:
    """Who activated and rolled back what, and when; the newest first."""
    return [_activation(one) for one in await deps.workflows.history(limit)]


def _activation(one: Activation) -> ActivationView:
    return ActivationView(
        mode=one.mode,
        submode=one.submode or None,
        revision=one.revision,
        action=one.action,
        workflow_name=one.workflow_name,
        workflow_version=one.workflow_version,
        previous_name=one.previous_name,
        previous_version=one.previous_version,
        by=one.made_by,
        at=one.made_at,
        forced=one.forced,
        missing=list(one.missing),
        note=one.note,
    )


@router.get("/workflows/{name}/diff", responses=responses(_C.NOT_FOUND, _C.BODY_INVALID))
async def difference(
    deps: Needs,
    name: str,
    old: Annotated[str, Query(max_length=32)],
    new: Annotated[str, Query(max_length=32)],
) -> Difference:
    """How one version of a workflow differs from another."""
    versions = [deps.workflows.released.released(name, number) for number in (old, new)]
    before, after = versions
    if before is None or after is None:
        raise refused(
            _C.NOT_FOUND,
            sentence="There is no such workflow version.",
            remedy="See GET /api/admin/workflows.",
        )
    return Difference(lines=diff(before, after))


@router.get("/models", responses=responses(_C.UNAVAILABLE))
async def models(deps: Needs) -> Models:
    """Every model file and package of nodes that the active workflows need, and who lacks it."""
    active = (await deps.workflows.current()).active
    engines = [e for e in await deps.engines.all() if e.kind == "comfyui" and e.node_classes]
    return Models(
        engines=[e.engine_id for e in engines],
        models=[ModelView(model=m, lacking=list(lacking(m, engines))) for m in needed(active)],
        packages=[
            PackageView(
                package=p,
                absent={e.engine_id: list(gone) for e in engines if (gone := absent_classes(p, e))},
            )
            for p in packages(active)
        ],
    )
