"""Starts the gateway."""

from runtime.process import run
from services.gateway.app import build

run("gateway", build)
