"""Starts the simulated WebUI: ``python -m simulators.webui``."""

from simulators.webui.app import main

main()
