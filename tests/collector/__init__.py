"""The collector against real FFmpeg, a real media store and a real nats-server."""
