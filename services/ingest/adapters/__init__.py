"""Where ingest meets the disk, the media store and FFmpeg."""
