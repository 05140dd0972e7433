"""Damaged media through sniffing and probing: `python -m tests.fuzz.media --files 2000 --seed 1`.

Good files of every format are damaged in a way that the seed decides alone. Each must be found good
or be refused with a code of the catalogue: nothing else may happen, and nothing may be written.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pillow_heif
from PIL import Image

from runtime.probe import ProbeLimits, probe_media
from runtime.sandbox.client import SandboxBroken, SandboxLost
from runtime.sniff import HEAD_BYTES, FileRefused, sniff
from tests.support.media import Size, counter_video, photo, tone

AT_ONCE = 4
DEADLINE_S = 20.0
HANG_S = DEADLINE_S + 20.0
_KINDS = {
    "png": "image",
    "jpg": "image",
    "webp": "image",
    "heic": "image",
    "mp4": "video",
    "mov": "video",
    "webm": "video",
    "wav": "audio",
    "flac": "audio",
    "ogg": "audio",
}


@dataclass(slots=True)
class Report:
    """What came of the files: how many ended how, what went wrong, how long it took."""

    files: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest_s: float = 0.0

    def __str__(self) -> str:
        """One line for people."""
        ends = ", ".join(f"{name} {count}" for name, count in sorted(self.ended.items()))
        return (
            f"{self.files} damaged files in {self.seconds:.1f} s (slowest {self.slowest_s:.2f} s): "
            f"{ends}; wrong: {len(self.wrong)}"
        )


def seeds(folder: Path) -> dict[str, bytes]:
    """A small good file of every format, by extension."""
    small = Size(64, 48)
    picture = photo(folder / "seed.png")
    with Image.open(picture) as opened:
        rgb = opened.convert("RGB").resize((96, 64))
    rgb.save(folder / "seed.jpg")
    rgb.save(folder / "seed.webp")
    rgb.save(folder / "seed.png")
    pillow_heif.from_pillow(rgb).save(folder / "seed.heic")
    counter_video(folder / "seed.mp4", frames=6, size=small, sound=True)
    counter_video(folder / "seed.mov", frames=6, size=small)
    counter_video(folder / "seed.webm", frames=6, size=small, codec="libvpx-vp9")
    for extension, codec in (("wav", "pcm_s16le"), ("flac", "flac"), ("ogg", "libopus")):
        tone(folder / f"seed.{extension}", duration_s=0.3, sample_rate_hz=48_000, codec=codec)
    found = {extension: (folder / f"seed.{extension}").read_bytes() for extension in _KINDS}
    for extension in _KINDS:
        (folder / f"seed.{extension}").unlink()
    return found


def _flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.randint(1, 32)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _flip_in_head(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.randint(1, 8)):
        data[dice.randrange(min(len(data), 512))] = dice.randrange(256)


def _cut(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(1, len(data)) :]


def _extreme(data: bytearray, dice: random.Random) -> None:
    place = dice.randrange(max(1, len(data) - 8))
    value = dice.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0"])
    data[place : place + 4] = value


def _repeat(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    piece = data[start : start + dice.randint(1, 4096)]
    data[start:start] = piece * dice.randint(1, 8)


def _remove(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    del data[start : start + dice.randint(1, max(1, len(data) // 3))]


def _noise(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    length = min(len(data) - start, dice.randint(1, 512))
    data[start : start + length] = dice.randbytes(length)


_DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip_in_head,
    _cut,
    _extreme,
    _repeat,
    _remove,
    _noise,
)


def damaged(good: dict[str, bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many damaged files, each with an extension; equal seeds give equal files."""
    dice = random.Random(seed)
    for _ in range(count):
        extension = dice.choice(sorted(good))
        data = bytearray(good[extension])
        if dice.random() < 0.1:
            other = good[dice.choice(sorted(good))]
            data[len(data) // 2 :] = other[len(other) // 2 :]
        for _ in range(dice.randint(1, 3)):
            if len(data) > 1:
                dice.choice(_DAMAGES)(data, dice)
        yield extension, bytes(data)


async def _one(path: Path, extension: str, data: bytes, report: Report) -> None:
    path.write_bytes(data)
    began = time.monotonic()
    name = f"{path.name} ({hashlib.sha256(data).hexdigest()[:12]})"
    try:
        async with asyncio.timeout(HANG_S):
            sniff(data[:HEAD_BYTES], f"a.{extension}", _KINDS[extension])  # type: ignore[arg-type]
            await probe_media(path, limits=ProbeLimits(deadline_s=DEADLINE_S))
        report.ended["good"] += 1
    except FileRefused as refusal:
        report.ended[refusal.code] += 1
    except TimeoutError:
        report.wrong.append(f"{name}: still decoding after {HANG_S:.0f} s")
    except (SandboxBroken, SandboxLost) as broken:
        report.wrong.append(f"{name}: {broken!r}")
    except Exception as accident:
        report.wrong.append(f"{name}: {accident!r}")
    took_s = time.monotonic() - began
    report.files += 1
    report.slowest_s = max(report.slowest_s, took_s)
    if path.read_bytes() != data:
        report.wrong.append(f"{name}: the file was changed")
    path.unlink()


async def fuzz(folder: Path, files: int, seed: int, budget_s: float) -> Report:
    """Put damaged files through sniffing and probing; stops early when the time is used up."""
    report, began = Report(), time.monotonic()
    work, outside = folder / "store", folder / "outside"
    work.mkdir()
    outside.mkdir()
    good = await asyncio.to_thread(seeds, work)
    supply = enumerate(damaged(good, files, seed))

    async def worker() -> None:
        for number, (extension, data) in supply:
            if time.monotonic() - began > budget_s:
                return
            await _one(work / f"{number}.{extension}", extension, data, report)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    left = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
    if left != ["outside", "store"]:
        report.wrong.append(f"left behind: {left[:10]}")
    report.seconds = time.monotonic() - began
    return report


def main() -> None:
    """Fuzz and say what came of it; ends with 1 when anything went wrong or too little was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget-s", type=float, default=600)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="animatrix-fuzz-") as folder:
        report = asyncio.run(fuzz(Path(folder), asked.files, asked.seed, asked.budget_s))
    sys.stdout.write(f"{report}\n")
    for line in report.wrong[:20]:
        sys.stdout.write(f"  {line}\n")
    sys.exit(bool(report.wrong) or report.files < asked.files)


if __name__ == "__main__":
    main()
