"""The FFmpeg settings that make equal inputs give equal files (facts on FFmpeg, docs/outputs.md).

Pure data. Identity is promised for the same FFmpeg and class of CPU only.
"""

from __future__ import annotations

EXACT_SCALER = "bicubic+accurate_rnd+bitexact+full_chroma_int"
"""Without these flags colour conversion differs from one CPU to the next."""

REPEATABLE: dict[str, str | int] = {
    "map_metadata": -1,
    "map_chapters": -1,
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
}
"""No tag of any input and no version of a library reaches the file."""

VIDEO_CRF = 18
VIDEO_PRESET = "medium"
AUDIO_RATE_HZ = 48_000
AAC_BITRATE = "192k"
OPUS_BITRATE = "128k"
