"""Computes the demo's sounds from numbers: a metronome, and a voice that speaks vowels.

Samples are float64 in -1..1 at a given rate in Hz. Must not write files.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

HARMONICS = 40
SEED = 20_260_101


class Phone(NamedTuple):
    """A piece of speech: formants in Hz, length in seconds, loudness of voice and of breath."""

    formants: tuple[float, float, float]
    length_s: float
    voice: float
    breath: float = 0.0


_A, _E, _I, _O, _U = (
    (800.0, 1250.0, 2600.0),
    (530.0, 1850.0, 2500.0),
    (290.0, 2250.0, 3000.0),
    (480.0, 850.0, 2450.0),
    (320.0, 780.0, 2300.0),
)
_M, _L, _S = (250.0, 1050.0, 2200.0), (380.0, 1150.0, 2700.0), (400.0, 1700.0, 2600.0)

SENTENCE: tuple[Phone, ...] = (
    *(Phone(_S, 0.05, 0.0, 0.10), Phone(_A, 0.22, 0.9), Phone(_L, 0.08, 0.5)),
    *(Phone(_O, 0.30, 1.0), Phone(_M, 0.12, 0.35), Phone(_U, 0.18, 0.8)),
    *(Phone(_S, 0.10, 0.0, 0.16), Phone(_I, 0.24, 0.9), Phone(_M, 0.10, 0.35)),
    *(Phone(_A, 0.26, 1.0), Phone(_A, 0.16, 0.0), Phone(_M, 0.10, 0.35)),
    *(Phone(_E, 0.20, 0.9), Phone(_L, 0.08, 0.5), Phone(_O, 0.26, 1.0)),
    *(Phone(_S, 0.09, 0.0, 0.14), Phone(_I, 0.20, 0.9), Phone(_A, 0.30, 1.0)),
    *(Phone(_U, 0.14, 0.0), Phone(_L, 0.09, 0.5), Phone(_A, 0.24, 1.0)),
    *(Phone(_M, 0.11, 0.35), Phone(_E, 0.22, 0.9), Phone(_O, 0.34, 0.9)),
)
"""Three phrases of nonsense with pauses between them, about four and a half seconds."""

_WIDTHS_HZ = (90.0, 120.0, 180.0)
_GAINS = (1.0, 0.55, 0.25)


def metronome(duration_s: float, beat_s: float, rate_hz: int) -> Samples:
    """A short tone that starts on every beat, higher on every fourth."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    since = t % beat_s
    pitch = np.where((t // beat_s) % 4 == 0, 1320.0, 880.0)
    tone: Samples = np.sin(2 * np.pi * pitch * since) * np.exp(-since * 28.0)
    return 0.6 * tone * np.minimum(1.0, since * 800.0)


def speech(rate_hz: int, sentence: tuple[Phone, ...] = SENTENCE) -> Samples:
    """A voice that speaks the phones: harmonics of a gliding pitch, weighted by its formants."""
    lengths = [round(phone.length_s * rate_hz) for phone in sentence]
    total = sum(lengths)
    t = np.arange(total) / rate_hz
    # Mouths move slowly: every track is smoothed over about 35 ms.
    window = np.hanning(round(0.07 * rate_hz))
    window /= window.sum()

    def track(values: list[float]) -> Samples:
        steps = np.repeat(np.asarray(values), lengths)
        padded = np.pad(steps, len(window), mode="edge")
        return np.convolve(padded, window, mode="same")[len(window) : -len(window)]

    formants = [track([phone.formants[n] for phone in sentence]) for n in range(3)]
    voice = track([phone.voice for phone in sentence])
    breath = track([phone.breath for phone in sentence])
    pitch = (
        142.0 + 24.0 * np.sin(2 * np.pi * t / 1.45) - 9.0 * t + 2.5 * np.sin(2 * np.pi * 5.2 * t)
    )
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    sound = np.zeros(total)
    for harmonic in range(1, HARMONICS + 1):
        frequency = harmonic * pitch
        weight = sum(
            gain / (1.0 + ((frequency - centre) / width) ** 2)
            for centre, width, gain in zip(formants, _WIDTHS_HZ, _GAINS, strict=True)
        )
        audible = frequency < rate_hz / 2.2
        sound += np.sin(harmonic * phase) * weight * audible / harmonic**0.5
    noise = np.diff(np.random.default_rng(SEED).standard_normal(total + 1))
    mixed: Samples = sound / np.abs(sound).max() * voice + noise / np.abs(noise).max() * breath
    fade = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.02)
    spoken: Samples = 0.8 * mixed / np.abs(mixed).max() * fade
    return spoken


def as_pcm16(samples: Samples) -> bytes:
    """Little-endian 16-bit samples."""
    return (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()
