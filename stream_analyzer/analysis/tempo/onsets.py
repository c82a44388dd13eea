"""Onset strength of the last seconds at the full frame rate, and the precise tempo that its periodicity tells. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

TOLERANCE = 0.04  # Accuracy1 calls a tempo right within 4 % (mir_eval)
HISTORY_S = 10.0  # onset strength kept for the precise value
MIN_REFINE_S = 2.5  # less history says nothing about the decimals
DYNAMIC_RANGE = 8.0  # nepers of log-mel power below a frame's loudest band that count as sound (35 dB)
HARMONICS = (1, 2, 3, 4, 6, 8)  # multiples of the beat rate at which rhythm shows
MAX_HARMONIC_HZ = 16.0  # above it a 93 ms frame holds little rhythm
DRIFT = 1.1  # two tempi that explain the halves of the history so many times better than one are a moving tempo
FFT_SIZE = 8192  # onset strength is zero-padded to it: 0.006 Hz a bin
MIN_BEATS = 6.0  # of a tempo, for a judgement of every other one of them
ALIKE = 0.25  # autocorrelation of onsets that makes a rhythm
SKIPPED = 0.15  # of the likeness of every other beat: less from beat to beat means that those between are empty
RATIOS = np.exp(np.linspace(-TOLERANCE, TOLERANCE, 81))  # tempi that are tried, relative to the given one


class OnsetHistory:
    """Onset strength of the last `HISTORY_S` seconds, one value a frame; the same for any cut into blocks."""

    def __init__(self, frames_per_second: float) -> None:
        """Keep history at this frame rate."""
        self._fps = frames_per_second
        self._size = round(HISTORY_S * frames_per_second)
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._strength = np.empty(0, np.float32)
        self._last: F32 | None = None

    def push(self, frames: F32) -> None:
        """Take log-mel frames float32 [n, bands] in order, at the full frame rate."""
        if not len(frames):
            return
        first = frames[:1] if self._last is None else self._last
        strength = onset_strength(np.concatenate([first, frames])[-self._size - 1 :])
        self._last = frames[-1:].copy()
        self._strength = np.concatenate([self._strength, strength])[-self._size :]

    def keep(self, seconds: float) -> None:
        """Forget all but the newest ``seconds``."""
        self._strength = self._strength[-round(seconds * self._fps) :]

    def refine(self, bpm: float) -> float:
        """Return the tempo now, within 4 % of ``bpm``; ``bpm`` itself where nothing is periodic.

        A full history whose halves differ in tempo is taken for a ramp, and its end is extrapolated.
        """
        count = len(self._strength)
        if count < MIN_REFINE_S * self._fps:
            return bpm
        whole = self._harmonics(self._strength, bpm).peak()
        if count < self._size:
            return whole
        older = self._harmonics(self._strength[: count // 2], bpm)
        newer = self._harmonics(self._strength[count // 2 :], bpm)
        begins, ends = older.peak(), newer.peak()
        explained = (older.at(begins) + newer.at(ends)) / max(older.at(whole) + newer.at(whole), 1e-12)
        drifts = explained > DRIFT and min(begins, ends) <= whole <= max(begins, ends)
        return ends * math.sqrt(ends / begins) if drifts else whole

    def skips_beats(self, bpm: float) -> bool:
        """Tell whether nothing happens on every other beat of ``bpm``, so that half of it may be meant."""
        strength = self._strength - self._strength.mean() if len(self._strength) else self._strength
        beat = 60.0 * self._fps / bpm
        if len(strength) < MIN_BEATS * beat:
            return False
        return self._likeness(strength, 2.0 * beat) > max(ALIKE, self._likeness(strength, beat) / SKIPPED)

    @staticmethod
    def _likeness(strength: F32, lag: float) -> float:
        """Return the autocorrelation of ``strength`` (without its mean) near a lag in frames, at most 1."""
        near = round(lag) + np.arange(-1, 2)
        power = float(strength @ strength)
        return max(float(strength[:-one] @ strength[one:]) for one in near) / max(power, 1e-12)

    def _harmonics(self, strength: F32, bpm: float) -> _Harmonics:
        """Return the power of ``strength`` at the multiples of every tempo within 4 % of ``bpm``."""
        spectrum = np.abs(np.fft.rfft(strength - strength.mean(), FFT_SIZE)) ** 2
        score = np.zeros_like(RATIOS)
        for harmonic in HARMONICS:
            hz = RATIOS * (harmonic * bpm / 60.0)
            if hz[-1] > MAX_HARMONIC_HZ:
                break
            score += np.interp(hz * (FFT_SIZE / self._fps), np.arange(len(spectrum)), spectrum)
        return _Harmonics(bpm, score)


@dataclass(frozen=True, slots=True)
class _Harmonics:
    """Power at the harmonics of ``RATIOS`` times ``bpm``."""

    bpm: float
    power: F64

    def at(self, bpm: float) -> float:
        return float(np.interp(bpm / self.bpm, RATIOS, self.power))

    def peak(self) -> float:
        """Return the strongest peak, nearer ones preferred; ``bpm`` where there is none."""
        inner = self.power[1:-1]
        peaks = 1 + np.flatnonzero((inner >= self.power[:-2]) & (inner > self.power[2:]))
        if not len(peaks):
            return self.bpm
        nearness = np.exp(-0.125 * (np.log(RATIOS[peaks]) / TOLERANCE) ** 2)
        best = int(peaks[np.argmax(self.power[peaks] * nearness)])
        below, peak, above = self.power[best - 1 : best + 2]
        shift = 0.5 * (below - above) / (below - 2.0 * peak + above)
        return self.bpm * float(RATIOS[best] * (RATIOS[1] / RATIOS[0]) ** shift)


def onset_strength(frames: F32) -> F32:
    """Return how much the bands rise from each frame to the next.

    Parameters
    ----------
    frames
        float32 [n, bands], natural-log mel power.

    Returns
    -------
    float32 array [n - 1]
        Mean over bands of the half-wave rectified difference, in nepers of power; what lies more than
        `DYNAMIC_RANGE` below the frame's loudest band counts as silent, so hiss and rounding add nothing.
    """
    floor = frames[1:].max(axis=1, keepdims=True) - np.float32(DYNAMIC_RANGE)
    rise = np.maximum(frames[1:], floor) - np.maximum(frames[:-1], floor)
    strength: F32 = np.maximum(rise, 0.0).mean(axis=1, dtype=np.float32)
    return strength
