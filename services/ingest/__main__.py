"""`python -m services.ingest`."""

from runtime.process import run
from services.ingest.app import build

run("ingest", build)
