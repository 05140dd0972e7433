"""Makes the demo's files: `python -m cli.demo_assets.make [FOLDER]`.

Everything is drawn and computed from numbers in this package; the same packages and FFmpeg give
the same bytes. Must not be needed to run the demo: the files are packaged.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

import ffmpeg

from cli.demo_assets import CHARACTER, FOLDER, MOTION, SPEECH, VERSION, sha256_of
from cli.demo_assets.figure import character, motion_frame
from cli.demo_assets.sound import as_pcm16, metronome, speech
from runtime.ffmpeg import run_ffmpeg

CHARACTER_PX = (768, 1344)
MOTION_PX = (480, 832)
MOTION_FPS, MOTION_FRAMES = 24, 120
BEAT_S = 0.5
RATE_HZ = 24_000

WHAT = {
    CHARACTER: "A drawn character, standing, 768x1344 pixels.",
    MOTION: "The character walking and waving: 5 s at 24 fps with a frame counter, a lamp and a "
    "metronome on every half second.",
    SPEECH: "A computed voice speaking three phrases of nonsense, 24 kHz, mono.",
}
ORIGIN = "Drawn and computed by cli/demo_assets of this project; no material of others is in it."


def make(folder: Path) -> None:
    """Write the three files, the manifest and the credits into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    character(*CHARACTER_PX).save(folder / CHARACTER, optimize=True)
    _write_wave(folder / SPEECH, as_pcm16(speech(RATE_HZ)))
    asyncio.run(_make_motion(folder / MOTION))
    files: list[dict[str, Any]] = [
        {
            "name": name,
            "sha256": sha256_of(folder / name),
            "size_bytes": (folder / name).stat().st_size,
            "what": what,
        }
        for name, what in WHAT.items()
    ]
    manifest = {"version": VERSION, "origin": ORIGIN, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    lines = [f"# Demo files {VERSION}", "", ORIGIN, ""]
    lines += [f"- `{name}`: {what}" for name, what in WHAT.items()]
    (folder / "CREDITS.md").write_text("\n".join(lines) + "\n")


async def _make_motion(target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        clicks = Path(scratch, "clicks.wav")
        _write_wave(clicks, as_pcm16(metronome(MOTION_FRAMES / MOTION_FPS, BEAT_S, RATE_HZ)))
        for index in range(MOTION_FRAMES):
            frame = motion_frame(*MOTION_PX, index, MOTION_FRAMES, MOTION_FPS, BEAT_S)
            frame.save(Path(scratch, f"{index:04d}.png"), compress_level=1)
        pictures = ffmpeg.input(f"{scratch}/%04d.png", framerate=MOTION_FPS, f="image2")
        made = ffmpeg.output(
            pictures,
            ffmpeg.input(str(clicks)),
            str(target),
            vcodec="libx264",
            preset="veryslow",
            crf=24,
            pix_fmt="yuv420p",
            threads=1,
            acodec="aac",
            audio_bitrate="64k",
            movflags="+faststart",
            fflags="+bitexact",
            map_metadata=-1,
            **{"flags:v": "+bitexact", "flags:a": "+bitexact"},
        )
        await run_ffmpeg(ffmpeg.get_args(made, overwrite_output=True), deadline_s=300)


def _write_wave(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(pcm)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / VERSION)
