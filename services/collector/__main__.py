"""Starts the collector."""

from runtime.process import run
from services.collector.app import build

run("collector", build)
