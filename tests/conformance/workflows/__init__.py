"""Every workflow and profile, as planning binds them, on ComfyUI servers."""
