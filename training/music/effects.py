"""What a room, a microphone and a cheap codec do to music. Sound is mono float32 [samples] at 22 050 Hz."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

from stream_analyzer.analysis.features import SPEC

if TYPE_CHECKING:
    from stream_analyzer.types import F32

RATE_HZ = SPEC.sample_rate_hz
_PIECE = RATE_HZ
SWELL_SAMPLES = 4000  # a crowd's loudness changes about this often


def reverberate(sound: F32, rng: np.random.Generator, *, rt60_s: float, wet: float) -> F32:
    """Add a room: exponentially decaying noise (60 dB in ``rt60_s`` seconds) beside the direct sound."""
    length = int(rt60_s * RATE_HZ)
    decay = 10.0 ** (-3.0 * np.arange(length) / length)
    response = rng.normal(0.0, 1.0, length) * decay
    response *= wet / np.sqrt(np.sum(response**2))
    delay = int(rng.uniform(0.002, 0.02) * RATE_HZ)
    response = np.concatenate([[1.0 - 0.5 * wet], np.zeros(delay), response])
    return np.asarray(oaconvolve(sound, response)[: len(sound)], np.float32)


def high_pass(sound: F32, *, hz: float) -> F32:
    """Second-order Butterworth high-pass: what a small microphone does to the bass."""
    return np.asarray(sosfilt(butter(2, hz, "high", fs=RATE_HZ, output="sos"), sound), np.float32)


def low_pass(sound: F32, *, hz: float) -> F32:
    """Second-order Butterworth low-pass."""
    return np.asarray(sosfilt(butter(2, hz, "low", fs=RATE_HZ, output="sos"), sound), np.float32)


def noise(samples: int, rng: np.random.Generator) -> F32:
    """Return noise of unit power: white to brown, steady or swelling like a crowd."""
    spectrum = np.fft.rfft(rng.normal(0.0, 1.0, samples))
    slope = rng.uniform(0.0, 1.0)
    spectrum /= np.maximum(np.arange(len(spectrum)), 20.0) ** slope
    signal = np.fft.irfft(spectrum, samples)
    if rng.random() < 0.5:
        nodes = np.arange(samples // SWELL_SAMPLES + 2)
        signal *= np.interp(np.arange(samples), nodes * SWELL_SAMPLES, rng.gamma(2.0, 0.5, len(nodes)))
    return np.asarray(signal / np.sqrt(np.mean(signal**2)), np.float32)


def add_noise(sound: F32, rng: np.random.Generator, *, snr_db: float) -> F32:
    """Add noise ``snr_db`` below the mean power of the sound."""
    power = float(np.mean(sound**2))
    return sound + noise(len(sound), rng) * np.float32(np.sqrt(power * 10.0 ** (-snr_db / 10.0)))


def equalize(sound: F32, rng: np.random.Generator, *, spread_db: float) -> F32:
    """Apply a random smooth frequency response, one node an octave with ``spread_db`` standard deviation."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1.0 / RATE_HZ)
    nodes = np.arange(5.0, 14.0)
    gain_db = np.interp(np.log2(np.maximum(hz, 20.0)), nodes, rng.normal(0.0, spread_db, len(nodes)))
    return np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), len(sound)).astype(np.float32)


def compress(sound: F32, *, ratio: float, release_s: float = 0.15) -> F32:
    """Reduce the level above -20 dB of the peak by ``ratio``, following the envelope with one release time."""
    peak = float(np.max(np.abs(sound))) + 1e-9
    pole = np.exp(-1.0 / (release_s * RATE_HZ))
    envelope = lfilter([1.0 - pole], [1.0, -pole], np.abs(sound)) / peak
    over = np.maximum(envelope / 0.1, 1.0)
    return np.asarray(sound * over ** (1.0 / ratio - 1.0), np.float32)


def clip(sound: F32, *, drive_db: float) -> F32:
    """Overdrive by ``drive_db`` over the peak and cut off."""
    peak = float(np.max(np.abs(sound))) + 1e-9
    limit = peak * 10.0 ** (-drive_db / 20.0)
    return np.clip(sound, -limit, limit)


def codec(sound: F32, *, quality: float) -> F32:
    """Encode as Ogg Vorbis (``quality`` 0 best .. 1 worst) and decode again."""
    peak = float(np.max(np.abs(sound))) + 1e-9
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", RATE_HZ, 1, format="OGG", subtype="VORBIS", compression_level=quality
    ) as encoded:
        for begin in range(0, len(sound), _PIECE):  # libsndfile puts all that it is given at once on the stack
            encoded.write(sound[begin : begin + _PIECE] * (0.7 / peak))
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32")
    result = np.zeros_like(sound)
    result[: len(decoded)] = decoded[: len(sound)]
    return result * np.float32(peak / 0.7)


def pump(sound: F32, rng: np.random.Generator, *, bpm: float) -> F32:
    """Duck the level on every beat, as a side-chained compressor does in dance music; beats start at sample 0."""
    depth = rng.uniform(0.3, 0.9)
    since_beat = (np.arange(len(sound)) / RATE_HZ) % (60.0 / bpm)
    return (sound * (1.0 - depth * np.exp(-since_beat / rng.uniform(0.05, 0.2)))).astype(np.float32)


def bad_microphone(sound: F32, rng: np.random.Generator) -> F32:
    """Reverb of 0.6 s, noise at 0 dB, high-pass at 90 Hz: the hard case every tempo tracker is asked about."""
    return high_pass(add_noise(reverberate(sound, rng, rt60_s=0.6, wet=0.7), rng, snr_db=0.0), hz=90.0)


def random_chain(sound: F32, rng: np.random.Generator) -> F32:
    """Apply a random selection of everything above, in the order a signal meets it, and a random final level."""
    if rng.random() < 0.5:
        sound = compress(sound, ratio=rng.uniform(1.5, 8.0))
    if rng.random() < 0.7:
        sound = equalize(sound, rng, spread_db=rng.uniform(1.0, 6.0))
    if rng.random() < 0.6:
        sound = reverberate(sound, rng, rt60_s=rng.uniform(0.15, 1.2), wet=rng.uniform(0.1, 0.9))
    if rng.random() < 0.6:
        sound = add_noise(sound, rng, snr_db=rng.uniform(0.0, 35.0))
    if rng.random() < 0.3:
        sound = high_pass(sound, hz=rng.uniform(60.0, 250.0))
    if rng.random() < 0.2:
        sound = low_pass(sound, hz=rng.uniform(3000.0, 9000.0))
    if rng.random() < 0.25:
        sound = clip(sound, drive_db=rng.uniform(2.0, 15.0))
    if rng.random() < 0.15:
        sound = codec(sound, quality=rng.uniform(0.7, 1.0))
    peak = float(np.max(np.abs(sound))) + 1e-9
    return sound * np.float32(10.0 ** (rng.uniform(-40.0, 0.0) / 20.0) / peak)
