"""What a delivered file says of its own origin: the C2PA claim that is signed into it.

Owns the words of the claim, not the signature. Pure. Sources: C2PA specification 2.1 (actions,
claim generator) and the IPTC digital source types. Must not say more than is known: a simulated
engine made nothing with a model, and of uploaded stills nobody knows how they were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.plan import ExecutionReport, NormalizedJobRecord
from contracts.stages import ComfyWorkflowStage

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = f"{_IPTC}trainedAlgorithmicMedia"
"""Made by a generative model."""
DRAWN = f"{_IPTC}algorithmicMedia"
"""Made by a program without a model: all that a simulated engine can do."""
ASSEMBLED = f"{_IPTC}composite"
"""Put together from several elements, any of which may or may not be generated."""
ASSERTION = "animatrix.generation"
_ENGINES = {"comfyui": "ComfyUI", "webui": "Stable Diffusion WebUI"}


@dataclass(frozen=True, slots=True)
class Origin:
    """How a job's files came about, as far as their claim tells."""

    record: NormalizedJobRecord
    report: ExecutionReport
    made_by: str
    tell_prompt: bool

    @property
    def simulated(self) -> bool:
        """True when any step ran on an engine that only pretends."""
        return any(result.engine.simulated for result in self.report.results)


def source_type(origin: Origin) -> str:
    """The IPTC digital source type that is true of the job's files."""
    if not origin.report.results:
        return ASSEMBLED
    return DRAWN if origin.simulated else GENERATED


def claim(origin: Origin, title: str, unsigned_sha256: str) -> dict[str, Any]:
    """The manifest definition for one file. It holds no prompt unless the origin says to tell it.

    `unsigned_sha256` is the file before signing, the `render_sha256` of the job's manifest.
    """
    name, _, version = origin.made_by.partition(" ")
    generation: dict[str, Any] = {
        "simulated": origin.simulated,
        "mode": origin.record.mode,
        "workflows": [
            f"{stage.workflow.name}@{stage.workflow.version}"
            for stage in origin.record.stages
            if isinstance(stage, ComfyWorkflowStage)
        ],
        "engines": _engines(origin.report),
        "unsigned_sha256": unsigned_sha256,
    }
    if origin.tell_prompt:
        generation["prompt"] = origin.record.resolved_prompt
    return {
        "title": title,
        "claim_generator_info": [{"name": name.capitalize(), "version": version}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [_created(origin, name, version)]}},
            {"label": ASSERTION, "data": generation},
        ],
    }


def _created(origin: Origin, name: str, version: str) -> dict[str, Any]:
    engines = _engines(origin.report)
    agent = engines[-1] if engines else {"name": name.capitalize(), "version": version}
    created: dict[str, Any] = {
        "action": "c2pa.created",
        "digitalSourceType": source_type(origin),
        "softwareAgent": agent,
    }
    if origin.simulated:
        created["description"] = "SIMULATED: drawn by a stand-in for an engine, not by a model"
    return created


def _engines(report: ExecutionReport) -> list[dict[str, str]]:
    seen: list[dict[str, str]] = []
    for result in report.results:
        engine = result.engine
        prefix = "SIMULATED " if engine.simulated else ""
        told = {"name": f"{prefix}{_ENGINES[engine.kind]}", "version": engine.version}
        if told not in seen:
            seen.append(told)
    return seen
