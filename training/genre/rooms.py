"""Rooms, loudspeakers, microphones and codecs that a clip may pass through before it is heard.

Sound is mono float32 [samples]; every parameter is drawn from ``rng``.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import oaconvolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.types import F32, F64

    Change = Callable[[F32, int, np.random.Generator], F32]

REFERENCE_HZ = 1000.0
CODECS = (("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"))


def through_a_room(sound: F32, rate_hz: int, rng: np.random.Generator) -> F32:
    """Return what a microphone hears of ``sound`` in a room: echoes, a narrow band, noise, blunt peaks."""
    direct = sound.astype(np.float64)
    echoes = oaconvolve(direct, tail(rate_hz, rng, t60_s=rng.uniform(0.15, 1.1)))[: len(sound)]
    heard = unit(direct) + unit(echoes) * from_db(rng.uniform(-14.0, 4.0))
    heard = equalized(heard, rate_hz, rng, spread_db=rng.uniform(0.0, 5.0))
    low_hz, high_hz = np.exp(rng.uniform(np.log([40.0, 3000.0]), np.log([300.0, 12_000.0])))
    order = int(rng.integers(1, 5))

    def microphone(hz: F64) -> F64:
        return band_gain(hz, low_hz=low_hz, high_hz=high_hz, order=order)

    noise = crowd(len(sound), rate_hz, rng)
    heard = unit(shaped(heard, rate_hz, microphone))
    heard += unit(shaped(noise, rate_hz, microphone)) * from_db(-rng.uniform(8.0, 35.0))
    if rng.random() < 0.5:
        knee = np.quantile(np.abs(heard), 0.99) * rng.uniform(0.7, 2.5)
        heard = knee * np.tanh(heard / knee)
    return np.asarray(unit(heard) * from_db(rng.uniform(-50.0, -12.0)), np.float32)


def otherwise_mastered(sound: F32, rate_hz: int, rng: np.random.Generator) -> F32:
    """Return ``sound`` played at another speed, with another frequency response, encoded by a cheap codec."""
    changed = faster(sound, rate_hz, by=rng.uniform(-0.08, 0.08))
    changed = equalized(changed, rate_hz, rng, spread_db=rng.uniform(1.0, 5.0)).astype(np.float32)
    if rng.random() < 0.3:
        changed += crowd(len(changed), rate_hz, rng) * rms(changed) * from_db(-rng.uniform(20.0, 50.0))
    if rng.random() < 0.4:
        changed = encoded(changed, rate_hz, rng)
    return np.asarray(unit(changed) * from_db(rng.uniform(-45.0, -12.0)), np.float32)


def faster(sound: F32, rate_hz: int, *, by: float) -> F32:
    """Return ``sound`` played faster (and higher) by that share."""
    changed: F32 = soxr.resample(sound, rate_hz * (1.0 + by), rate_hz)
    return changed


def tail(rate_hz: int, rng: np.random.Generator, *, t60_s: float) -> F64:
    """Return the echoes of a room [samples]: some early ones, then noise that falls by 60 dB in ``t60_s``."""
    size = int(1.2 * t60_s * rate_hz)
    time_s = np.arange(size) / rate_hz
    noise = rng.standard_normal(size)
    bass = shaped(noise, rate_hz, lambda hz: 1.0 / (1.0 + (hz / 2000.0) ** 4))
    treble_s = t60_s * rng.uniform(0.5, 1.0)
    echoes = bass * 10.0 ** (-3.0 * time_s / t60_s) + (noise - bass) * 10.0 ** (-3.0 * time_s / treble_s)
    echoes[: int(rng.uniform(0.002, 0.01) * rate_hz)] = 0.0
    loudest = 2.0 * rms(echoes[: int(0.06 * rate_hz)])
    for delay_s in rng.uniform(0.002, 0.05, int(rng.integers(4, 20))):
        echoes[int(delay_s * rate_hz)] += rng.choice((-1.0, 1.0)) * loudest
    return unit(echoes)


def crowd(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return noise of unit power: a steady hiss, people who talk at once, or both."""
    slope = rng.uniform(0.0, 1.2)
    hiss = unit(
        shaped(rng.standard_normal(size), rate_hz, lambda hz: (np.maximum(hz, 20.0) / REFERENCE_HZ) ** (-slope))
    )
    if rng.random() < 0.5:
        return hiss
    share = rng.uniform(0.0, 1.0)
    return unit(np.sqrt(1.0 - share) * hiss + np.sqrt(share) * talkers(size, rate_hz, rng))


def talkers(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return noise in the shape of several voices, each with syllables of its own."""
    total = np.zeros(size)
    for _ in range(int(rng.integers(2, 5))):
        middle, width = np.log(rng.uniform(300.0, 1000.0)), rng.uniform(0.5, 1.1)

        def voice(hz: F64, middle: float = middle, width: float = width) -> F64:
            return np.exp(-0.5 * ((np.log(np.maximum(hz, 1.0)) - middle) / width) ** 2)

        points = max(4, int(size / rate_hz * rng.uniform(4.0, 12.0)))
        loudness = np.clip(rng.normal(0.3, 0.5, points), 0.0, None)
        envelope = np.interp(np.linspace(0.0, points - 1.0, size), np.arange(points), loudness)
        total += unit(shaped(rng.standard_normal(size), rate_hz, voice)) * envelope
    return unit(total)


def equalized(sound: F64 | F32, rate_hz: int, rng: np.random.Generator, *, spread_db: float) -> F64:
    """Return ``sound`` with a random smooth frequency response, one node an octave."""
    nodes = np.arange(5.0, 15.0)
    gains_db = rng.normal(0.0, spread_db, len(nodes))
    return shaped(sound, rate_hz, lambda hz: from_db(np.interp(np.log2(np.maximum(hz, 20.0)), nodes, gains_db)))


def band_gain(hz: F64, *, low_hz: float, high_hz: float, order: int) -> F64:
    """Return the gain of a band whose slopes fall by 6 dB an octave times ``order``."""
    below, above = (low_hz / np.maximum(hz, 1e-3)) ** (2 * order), (hz / high_hz) ** (2 * order)
    return 1.0 / np.sqrt((1.0 + below) * (1.0 + above))


def encoded(sound: F32, rate_hz: int, rng: np.random.Generator) -> F32:
    """Return ``sound`` after a lossy codec of low quality."""
    container, subtype = CODECS[int(rng.integers(len(CODECS)))]
    peak = float(np.abs(sound).max()) + 1e-9
    buffer = io.BytesIO()
    quality = rng.uniform(0.5, 1.0)
    soundfile.write(buffer, sound * (0.7 / peak), rate_hz, format=container, subtype=subtype, compression_level=quality)
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32")
    result = np.zeros_like(sound)
    result[: len(decoded)] = decoded[: len(sound)]
    return result * np.float32(peak / 0.7)


def shaped(sound: F64 | F32, rate_hz: int, gain: Callable[[F64], F64]) -> F64:
    """Return ``sound`` whose spectrum is multiplied by ``gain(hz)``, without a shift of time."""
    size = next_fast_len(len(sound) + rate_hz // 10, real=True)
    response = np.asarray(gain(np.asarray(rfftfreq(size, 1.0 / rate_hz), np.float64)), np.float32)
    return np.asarray(irfft(rfft(np.asarray(sound, np.float32), size) * response, size)[: len(sound)], np.float64)


def rms(sound: F64 | F32) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(sound)))) if len(sound) else 0.0


def unit(sound: F64 | F32) -> F64:
    """Return ``sound`` at a root mean square of 1; silence stays silence."""
    return np.asarray(sound / (rms(sound) or 1.0), np.float64)


def from_db(decibels: F64 | float) -> F64:
    """Return the factor of amplitude."""
    return np.asarray(10.0 ** (np.asarray(decibels) / 20.0))
