"""The sheet on which any request is planned: its faults, notes and asset uses are gathered here.

Owns what every mode does with assets. Every fault is written down, so that a refusal names them all
at once. Must not know a mode or a workflow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.base import Contract
from contracts.engines import EngineSnapshot
from contracts.errors import ErrorCode, ErrorInfo, error_info
from contracts.media import ImageFacts, MediaFacts, MediaKind, Role
from contracts.plan import AssetUse, JobPlan
from planning.assets import KnownAsset, asset_fault, image_faults
from planning.limits import PlanLimits
from planning.requests import JobRequest

SOFT_REFERENCE = "Soft guidance: said in the prompt; the picture itself is not used by this mode."


class Fallback(Contract):
    """What could be made instead. Nothing happens until somebody sends the request himself."""

    sentence: str
    request: JobRequest
    plan: JobPlan


class Refusal(Contract):
    """Why a request cannot become a job: every fault found, in the order of the fields."""

    errors: tuple[ErrorInfo, ...]
    fallback: Fallback | None = None


@dataclass(slots=True, kw_only=True)
class Sheet:
    """One request with what is known of its assets and of the engines, and what was found so far.

    `seed` is the request's, or else `drawn`, which is always the caller's.
    """

    request: JobRequest
    assets: Mapping[str, KnownAsset]
    engines: Sequence[EngineSnapshot]
    limits: PlanLimits
    seed: int
    drawn: int
    faults: list[ErrorInfo] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    uses: list[AssetUse] = field(default_factory=list)

    @property
    def mapped_hints(self) -> tuple[str, ...]:
        """The key poses that operators mapped on the request's pose sheets, in the sheets' order.

        At most as many as a request may give; the user's own hints go before them.
        """
        if self.request.key_pose_hints:
            return ()
        sheets = (self.assets.get(asset_id) for asset_id in self.request.pose_sheet_asset_ids)
        mapped = [pose.hint for sheet in sheets if sheet for pose in sheet.key_poses]
        return tuple(mapped[: self.limits.max_key_poses])

    @property
    def key_pose_hints(self) -> tuple[str, ...]:
        """The key poses that the prompt says: the request's, else those that operators mapped."""
        return self.request.key_pose_hints or self.mapped_hints

    def refuse(
        self,
        code: ErrorCode,
        at: str,
        sentence: str | None = None,
        remedy: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Write down a fault of the field `at`."""
        self.faults.append(
            error_info(code, sentence=sentence, remedy=remedy, field=at, detail=detail)
        )

    def take(
        self, at: str, role: Role, kind: MediaKind, missing: ErrorCode
    ) -> tuple[KnownAsset, MediaFacts] | None:
        """The asset that the field `at` names, with its facts; a fault when it cannot be used."""
        asset_id: str | None = getattr(self.request, at)
        if not asset_id:
            self.refuse(missing, at)
            return None
        return self.take_asset(asset_id, at, role, kind)

    def take_asset(
        self, asset_id: str, at: str, role: Role, kind: MediaKind
    ) -> tuple[KnownAsset, MediaFacts] | None:
        """An asset by its id, with its facts; a fault of the field `at` when it cannot be used."""
        asset = self.assets.get(asset_id)
        fault = asset_fault(asset, asset_id, kind, at)
        if fault is not None or asset is None or asset.facts is None:
            self.faults.append(fault or error_info(ErrorCode.ASSET_CHECKING, field=at))
            return None
        self._use(role, asset, used=True)
        return asset, asset.facts

    def take_ground_truth(self) -> KnownAsset | None:
        """The character image (SRS §10): exactly one, large enough, not too narrow."""
        at = "ground_truth_asset_id"
        taken = self.take(at, "ground_truth", "image", ErrorCode.GROUND_TRUTH_MISSING)
        if taken is None or not isinstance(taken[1], ImageFacts):
            return None
        self.faults.extend(image_faults(taken[1], self.request.crop, at))
        return taken[0]

    def store_soft_guidance(self, *, poses: bool = True) -> None:
        """References and pose sheets (SRS §9.3): kept with the job, and marked for what they are.

        Without `poses` the mode itself uses the pose sheets.
        """
        self._store("reference_asset_ids", "reference", self.limits.max_reference_images)
        if poses:
            self._store("pose_sheet_asset_ids", "pose_sheet", self.limits.max_pose_sheets)
        if len(self.request.key_pose_hints) > len(self.request.pose_sheet_asset_ids):
            self.refuse(
                ErrorCode.SETTINGS_CONFLICT,
                "key_pose_hints",
                sentence="There are more key pose hints than pose sheets.",
                remedy="Give at most one hint for each pose sheet.",
            )

    def take_many(self, at: str, role: Role, limit: int) -> list[KnownAsset]:
        """The images that the field `at` names, in order; a fault for each that cannot be used."""
        found = []
        for index, asset in self._fit(at, limit):
            self._use(role, asset, used=True, index=index)
            found.append(asset)
        return found

    def refuse_foreign(self, at: str, other_mode: str) -> None:
        """An asset that only another mode uses."""
        if getattr(self.request, at):
            remedy = f"Remove it, or choose {other_mode}."
            self.refuse(ErrorCode.ASSET_UNUSED_IN_MODE, at, remedy=remedy)

    def _store(self, at: str, role: Role, limit: int) -> None:
        for index, asset in self._fit(at, limit):
            self._use(role, asset, used=False, index=index, note=SOFT_REFERENCE)

    def _fit(self, at: str, limit: int) -> list[tuple[int, KnownAsset]]:
        ids: tuple[str, ...] = getattr(self.request, at)
        if len(ids) > limit:
            self.refuse(ErrorCode.TOO_MANY_ASSETS, at, remedy=f"Attach at most {limit} files here.")
            return []
        found = []
        for index, asset_id in enumerate(ids):
            asset = self.assets.get(asset_id)
            fault = asset_fault(asset, asset_id, "image", f"{at}[{index}]")
            if fault is not None:
                self.faults.append(fault)
            elif asset is not None:
                found.append((index, asset))
        return found

    def _use(
        self,
        role: Role,
        asset: KnownAsset,
        *,
        used: bool,
        index: int = 0,
        note: str | None = None,
    ) -> None:
        if asset.facts is None:
            raise ValueError(f"asset {asset.asset_id} has no facts")
        self.uses.append(
            AssetUse(
                role=role,
                index=index,
                asset_id=asset.asset_id,
                sha256=asset.sha256,
                facts=asset.facts,
                key_poses=asset.key_poses if role == "pose_sheet" else (),
                used=used,
                note=note,
            )
        )
