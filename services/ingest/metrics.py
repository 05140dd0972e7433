"""What ingest counts. Labels are families, never ids."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

PROBE_SECONDS = Histogram(
    "animatrix_ingest_probe_seconds",
    "Time to prove an uploaded file",
    ["kind"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 20, 60, 120),
)
ASSETS = Counter("animatrix_ingest_assets", "Assets examined, by result", ["kind", "result"])
DERIVATIVES = Counter(
    "animatrix_ingest_derivatives", "Derivatives delivered, by origin", ["kind", "origin"]
)
NORMALISE_SECONDS = Histogram(
    "animatrix_ingest_normalise_seconds",
    "Time to make and prove a derivative",
    ["kind"],
    buckets=(0.05, 0.2, 0.5, 1, 2, 5, 20, 60, 300, 900),
)
