"""How the collector touches the world: the media store, FFmpeg and the probe."""
