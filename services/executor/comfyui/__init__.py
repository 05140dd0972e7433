"""Steps on ComfyUI: a graph bound, submitted, followed to its end, its outputs fetched."""
