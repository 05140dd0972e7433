"""Starts the composer."""

from runtime.process import run
from services.composer.app import build

run("composer", build)
