"""Starts the simulated ComfyUI: ``python -m simulators.comfyui``."""

from simulators.comfyui.app import main

main()
