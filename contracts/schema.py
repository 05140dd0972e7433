"""Generates the JSON Schemas of the contracts into contracts/schemas, and knows which are released.

`python -m contracts.schema` writes them. A released schema is listed with its sha256 in
released.json and never changes: a breaking change is a new version with a new file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts.base import canonical_bytes, sha256_hex
from contracts.engines import EngineSnapshot
from contracts.events import EVENTS, PicturedProgress, Progress, event_name
from contracts.plan import ExecutionReport, JobPlan, NormalizedJobRecord, RunPlan

FOLDER = Path(__file__).parent / "schemas"
RELEASED = FOLDER / "released.json"

_RECORDS: dict[str, type[BaseModel]] = {
    "progress": Progress,
    "job_plan": JobPlan,
    "normalized_job_record": NormalizedJobRecord,
    "run_plan": RunPlan,
    "execution_report": ExecutionReport,
    "engine_snapshot": EngineSnapshot,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its file name under contracts/schemas, such as `v1/job_submitted.json`."""
    models: dict[str, type[BaseModel]] = {event_name(event): event for event in EVENTS}
    named = {f"v1/{name}.json": model for name, model in {**models, **_RECORDS}.items()}
    named["v2/progress.json"] = PicturedProgress
    return {name: model.model_json_schema(mode="serialization") for name, model in named.items()}


def digest(schema: dict[str, Any]) -> str:
    """The sha256 of a schema's canonical form."""
    return sha256_hex(canonical_bytes(schema))


def write(folder: Path = FOLDER) -> None:
    """Write every schema; never touches the list of released ones."""
    for name, schema in schemas().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write()
