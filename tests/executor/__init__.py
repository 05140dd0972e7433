"""The executor against a real bus and a simulated ComfyUI on a real port."""
