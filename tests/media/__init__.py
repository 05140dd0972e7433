"""FFmpeg runs, sniffing and probing, with real media and real hostile files."""
